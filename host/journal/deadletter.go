package journal

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/relayhost/relayhost/host/message"
)

func letterID(number uint64) string { return fmt.Sprintf("%012d", number) }

// letterNumber is the number of an id, 0 if it is none.
func letterNumber(id string) uint64 {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// matches reports whether the filter chooses d.
func (f *Filter) matches(d *DeadLetter) bool {
	switch {
	case len(f.IDs) > 0 && !slices.Contains(f.IDs, d.ID),
		f.Pipeline != "" && f.Pipeline != d.Pipeline,
		f.Plugin != "" && f.Plugin != d.Plugin,
		f.Kind != nil && *f.Kind != d.Kind,
		!f.Since.IsZero() && d.Failed.Before(f.Since),
		!f.Until.IsZero() && !d.Failed.Before(f.Until),
		f.Unforwarded && !d.Forwarded.IsZero():
		return false
	}
	return true
}

// bounds are the numbers between which the filter chooses dead letters, of those
// below end: the journal may have many more than the few that have an id.
func (f *Filter) bounds(end uint64) (from, to uint64) {
	if f.After != "" {
		from = letterNumber(f.After) + 1
	}
	if len(f.IDs) == 0 {
		return from, end
	}
	lowest, highest := uint64(math.MaxUint64), uint64(0)
	for _, id := range f.IDs {
		n := letterNumber(id)
		lowest, highest = min(lowest, n), max(highest, n)
	}
	if highest < end {
		end = highest + 1
	}
	return max(from, lowest), end
}

// What is read, and changed in one commit, at once.
const (
	pageLetters = 1000
	pageBytes   = 4 << 20
)

// stored is a dead letter and its place.
type stored struct {
	DeadLetter
	number uint64
	size   int64
}

var errFull = errors.New("the page is full")

// page is the next of the dead letters in [from, to) that f chooses, at most
// most, and where to go on.
func (j *Journal) page(f *Filter, from, to uint64, most int) (letters []stored, next uint64, err error) {
	g := j.generation()
	size := 0
	next = to
	err = g.read(func(db *pebble.DB) error {
		return scanRange(db, letterKey(from), letterKey(to), func(k key, value []byte) error {
			if len(letters) >= most || size > pageBytes {
				next = min(next, k.number)
				return errFull
			}
			d, err := decodeLetter(slices.Clone(value))
			if err != nil {
				return err
			}
			d.ID = letterID(k.number)
			if f.matches(d) {
				letters = append(letters, stored{*d, k.number, int64(len(value))})
				size += len(value)
			}
			return nil
		})
	})
	if errors.Is(err, errFull) {
		err = nil
	}
	return letters, next, err
}

// pages are all that f chooses, and that were there when the iteration began,
// oldest first.
func (j *Journal) pages(f Filter) iter.Seq2[[]stored, error] {
	return func(yield func([]stored, error) bool) {
		if err := j.flush(); err != nil {
			yield(nil, fmt.Errorf("read dead letters: %w", err))
			return
		}
		j.mu.Lock()
		end := j.next
		j.mu.Unlock()
		left := f.Limit
		from, end := f.bounds(end)
		for from < end {
			most := pageLetters
			if f.Limit > 0 {
				most = min(most, left)
			}
			letters, next, err := j.page(&f, from, end, most)
			if err != nil {
				yield(nil, fmt.Errorf("read dead letters: %w", err))
				return
			}
			from, left = next, left-len(letters)
			if len(letters) > 0 && !yield(letters, nil) || f.Limit > 0 && left <= 0 {
				return
			}
		}
	}
}

// DeadLetters yields those that f chooses, oldest first. After an error there is
// nothing more.
func (j *Journal) DeadLetters(f Filter) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		for letters, err := range j.pages(f) {
			if err != nil {
				yield(DeadLetter{}, err)
				return
			}
			for i := range letters {
				if !yield(letters[i].DeadLetter, nil) {
					return
				}
			}
		}
	}
}

// change makes a task of each page of what f chooses, and runs it.
func (j *Journal) change(f Filter, what string, task func(letters []stored) *task) (n int, err error) {
	j.admin.Lock()
	defer j.admin.Unlock()
	for letters, err := range j.pages(f) {
		if err != nil {
			return n, err
		}
		if err := j.run(task(letters)); err != nil {
			return n, fmt.Errorf("%s dead letters: %w", what, err)
		}
		n += len(letters)
	}
	return n, nil
}

// Purge deletes those that f chooses.
func (j *Journal) Purge(f Filter) (n int, err error) {
	return j.change(f, "purge", func(letters []stored) *task {
		return &task{
			apply:     func(b *pebble.Batch, k *books) error { return deleteLetters(letters, b, k) },
			committed: func() { j.unbury(letters) },
		}
	})
}

func deleteLetters(letters []stored, b *pebble.Batch, k *books) error {
	for i := range letters {
		if err := b.Delete(letterKey(letters[i].number), nil); err != nil {
			return err
		}
		k.letters--
	}
	return nil
}

// unbury takes note that letters are gone.
func (j *Journal) unbury(letters []stored) {
	for i := range letters {
		j.bytes -= letters[i].size
		if p := j.pipelines[letters[i].Pipeline]; p != nil {
			p.letters--
		}
	}
}

// Retry puts those that f chooses back into their pipelines' inboxes, as events
// that were not tried yet. A dead letter is in the one place or in the other.
func (j *Journal) Retry(f Filter) (n int, err error) {
	return j.change(f, "retry", func(letters []stored) *task {
		backs := j.putBack(letters)
		return &task{
			size: pageBytes,
			apply: func(b *pebble.Batch, k *books) error {
				for _, r := range backs {
					if err := b.Set(segmentKey(keySegment, r.pipeline.number, r.segment.number), r.value, nil); err != nil {
						return err
					}
					k.segments++
				}
				return deleteLetters(letters, b, k)
			},
			committed: func() {
				j.unbury(letters)
				for _, r := range backs {
					r.stored = true
					j.add(r.pipeline, r.segment)
					r.recoverable = append(r.recoverable, r.segment)
					r.notify()
				}
			},
		}
	})
}

// putBack makes segments of dead letters, one for each pipeline.
func (j *Journal) putBack(letters []stored) []rewrite {
	values := map[string]*segmentValue{}
	for i := range letters {
		d := &letters[i].DeadLetter
		v := values[d.Pipeline]
		if v == nil {
			v = &segmentValue{back: true, received: d.Received}
			values[d.Pipeline] = v
		}
		m := &message.Message{ID: d.EventID, Event: d.Event, Position: d.Position, Received: d.Received}
		m.Entry.Index = v.total
		v.total++
		v.messages = append(v.messages, m)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var backs []rewrite
	for name, v := range values {
		value := appendSegment(nil, v)
		s := newSegment(j.number(), v, int64(len(value)))
		backs = append(backs, rewrite{ownedSegment: ownedSegment{j.pipeline(name), s}, value: value})
	}
	return backs
}

// Forwarded notes when dead letters were forwarded. Those that are not there any
// more do not matter.
func (j *Journal) Forwarded(ids []string, at time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := j.change(Filter{IDs: ids}, "note forwarded", func(letters []stored) *task {
		values := make([][]byte, len(letters))
		for i := range letters {
			letters[i].Forwarded = at
			values[i] = appendLetter(nil, &letters[i].DeadLetter)
		}
		return &task{
			apply: func(b *pebble.Batch, _ *books) error {
				for i := range letters {
					if err := b.Set(letterKey(letters[i].number), values[i], nil); err != nil {
						return err
					}
				}
				return nil
			},
			committed: func() {
				for i := range letters {
					j.bytes += int64(len(values[i])) - letters[i].size
				}
			},
		}
	})
	return err
}
