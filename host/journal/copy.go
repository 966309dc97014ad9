package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// storeCopy is a store that is filled with what was saved of another.
type storeCopy struct {
	g     *generation
	batch *pebble.Batch
	books books

	census   census
	bitmaps  map[key][]byte
	segments map[key]uint32 // messages of each
	used     map[uint32]bool
	pending  map[string]bool // pipelines of dead letters
	notes    []string
}

func newCopy(dir string, o Options) (*storeCopy, error) {
	if err := o.FS.RemoveAll(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := o.FS.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	o.Fsync = Always
	g, err := openGeneration(o.FS, dir, o, false)
	if err != nil {
		return nil, err
	}
	return &storeCopy{
		g: g, batch: g.db.NewBatch(), census: newCensus(), bitmaps: map[key][]byte{}, segments: map[key]uint32{},
		used: map[uint32]bool{}, pending: map[string]bool{},
	}, nil
}

// put takes a key if it decodes. Bitmaps wait until it is known which segments
// there are.
func (w *storeCopy) put(k, value []byte) error {
	parsed, known := parseKey(k)
	if !known {
		return fmt.Errorf("%w: the key is not known", errWire)
	}
	w.books.next = max(w.books.next, parsed.number+1)
	w.used[parsed.pipeline] = true
	switch parsed.kind {
	case keyBooks:
		old, err := decodeBooks(value)
		w.books.next, w.books.commits = max(w.books.next, old.next), old.commits
		return err
	case keyBitmap:
		w.bitmaps[key{keySegment, parsed.pipeline, parsed.number}] = slices.Clone(value)
		return nil
	case keySegment:
		v, err := decodeSegment(value)
		if err != nil {
			return err
		}
		w.segments[parsed] = v.total
		w.books.segments++
	case keyLetter:
		d, err := decodeLetter(value)
		if err != nil {
			return err
		}
		w.pending[d.Pipeline] = true
		w.books.letters++
	case keyMarks:
		if _, err := decodeMarks(value); err != nil {
			return err
		}
		w.books.marks++
	case keyFloor:
		if _, err := decodeFloor(value); err != nil {
			return err
		}
	case keyName:
		if w.census.pipelines[string(value)] != nil {
			return fmt.Errorf("%w: pipeline %q is there twice", errWire, value)
		}
		p := w.census.pipeline(parsed.pipeline)
		p.name, p.named = string(value), true
		w.census.pipelines[p.name] = p
	}
	return w.set(k, value)
}

func (w *storeCopy) set(k, value []byte) error {
	must(w.batch.Set(k, value, nil))
	if w.batch.Len() < batchBytes {
		return nil
	}
	return w.flush()
}

func (w *storeCopy) flush() error {
	if err := w.g.commit(w.batch); err != nil {
		return err
	}
	w.batch = w.g.db.NewBatch()
	return nil
}

// finish adds what the rest depends on, and closes the store.
func (w *storeCopy) finish() (s Salvage, err error) {
	if err := errors.Join(w.finishBitmaps(), w.finishNames()); err != nil {
		w.g.giveUp()
		return s, err
	}
	w.books.commits++
	must(w.batch.Set(booksKey(), appendBooks(nil, w.books), nil))
	if err := w.flush(); err != nil {
		w.g.giveUp()
		return s, err
	}
	census := newCensus()
	err = w.g.read(func(db *pebble.DB) error { return scan(db, nil, census.take) })
	if err == nil {
		err = census.balance()
	}
	for _, p := range census.pipelines {
		s.Events += p.unsettled
		s.DeadLetters += p.letters
	}
	return s, errors.Join(err, w.g.shutDown())
}

func (w *storeCopy) finishBitmaps() error {
	for k, bitmap := range w.bitmaps {
		total, known := w.segments[k]
		switch {
		case !known:
			w.notes = append(w.notes, fmt.Sprintf("the messages of pull %d of pipeline %d are missing", k.number, k.pipeline))
			continue
		case len(bitmap) != int(total+7)/8:
			w.notes = append(w.notes, fmt.Sprintf("which messages of pull %d of pipeline %d settled is not known", k.number, k.pipeline))
			continue
		}
		w.books.bitmaps++
		if err := w.set(segmentKey(keyBitmap, k.pipeline, k.number), bitmap); err != nil {
			return err
		}
	}
	return nil
}

// finishNames gives a name to each pipeline whose own is missing.
func (w *storeCopy) finishNames() error {
	delete(w.used, 0) // of keys that belong to no pipeline
	numbers := uint32(0)
	for number := range w.used {
		numbers = max(numbers, number)
		if p := w.census.pipeline(number); !p.named {
			name := fmt.Sprintf("unnamed-%d", number)
			w.notes = append(w.notes, fmt.Sprintf("the name of pipeline %d is missing: it is %s now", number, name))
			if err := w.set(pipelineKey(keyName, number), []byte(name)); err != nil {
				return err
			}
		}
	}
	for name := range w.pending {
		if w.census.pipelines[name] != nil {
			continue
		}
		numbers++
		if err := w.set(pipelineKey(keyName, numbers), []byte(name)); err != nil {
			return err
		}
	}
	return nil
}
