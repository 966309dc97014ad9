package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// salvage reads the tables and logs of a store one by one, without what says how
// they belong together, and keeps the newest of each key.
type salvage struct {
	fs     vfs.FS
	dir    string
	files  []string
	newest map[string]version
	notes  map[string]bool
}

type version struct {
	sequence uint64
	file     int
	deleted  bool
}

// found is one writing of a key.
type found struct {
	key, value []byte
	version
}

// salvageStore makes a new store of what can be read of the one in dir.
func salvageStore(dir string, o Options) (Salvage, error) {
	s := &salvage{fs: o.FS, dir: o.FS.PathJoin(dir, storeName), newest: map[string]version{}, notes: map[string]bool{}}
	names, err := o.FS.List(s.dir)
	if err != nil {
		return Salvage{}, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") || isLog(name) {
			s.files = append(s.files, name)
		}
	}
	slices.Sort(s.files)
	_ = s.each(func(f found) error {
		if v, known := s.newest[string(f.key)]; !known || f.sequence >= v.sequence {
			s.newest[string(f.key)] = f.version
		}
		return nil
	})
	result, err := s.write(o.FS.PathJoin(dir, freshName), o)
	result.Unreadable = slices.Sorted(maps.Keys(s.notes))
	return result, err
}

func (s *salvage) note(format string, args ...any) { s.notes[fmt.Sprintf(format, args...)] = true }

// each calls f with everything that can be read, until f fails.
func (s *salvage) each(f func(found) error) error {
	for n, name := range s.files {
		f := func(v found) error {
			v.file = n
			return f(v)
		}
		read := s.table
		if isLog(name) {
			read = s.log
		}
		if err := s.guarded(name, read, f); err != nil {
			return err
		}
	}
	return nil
}

// stopError is an error of what is done with the things found.
type stopError struct{ error }

// guarded reads a file. What is wrong with the file is noted, be it a panic.
func (s *salvage) guarded(name string, read func(string, func(found) error) error, f func(found) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.note("%s: %v", name, r)
		}
	}()
	err = read(name, func(v found) error {
		if err := f(v); err != nil {
			return stopError{err}
		}
		return nil
	})
	if stop, ok := errors.AsType[stopError](err); ok {
		return stop.error
	}
	if err != nil {
		s.note("%s: %v", name, err)
	}
	return nil
}

// blockSize is that of a log.
const blockSize = 32 << 10

// log reads a log. After what cannot be read it takes what is whole of the block,
// and goes on with the next one.
func (s *salvage) log(name string, f func(found) error) error {
	data, err := readAll(s.fs, s.fs.PathJoin(s.dir, name))
	if err != nil {
		return err
	}
	for from := 0; from < len(data); {
		r := logReader(record.NewReader, bytes.NewReader(data[from:]), name)
		good, err := records(r, f)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if errors.As(err, new(stopError)) {
			return err
		}
		if !record.IsInvalidRecord(err) {
			s.note("%s: %v", name, err)
		}
		bad := from + int(good)
		end := min(from+(int(good)/blockSize+1)*blockSize, len(data))
		s.note("%s: what begins at %d, of %d bytes", name, bad, len(data))
		if err := rest(data[:end], bad+1, logNumber(name), f); err != nil {
			return err
		}
		from = end
	}
	return nil
}

// rest reads the whole records of a block behind one that cannot be read.
func rest(block []byte, from int, log uint64, f func(found) error) error {
	for at := nextRecord(block, from, uint32(log)); at >= 0; at = nextRecord(block, at+1, uint32(log)) { //nolint:gosec // as pebble does
		if block[at+6] != chunkFull {
			continue // it goes on in the next block
		}
		end := at + chunkHeader + int(binary.LittleEndian.Uint16(block[at+4:]))
		if err := batch(block[at+chunkHeader:end], f); err != nil {
			return err
		}
	}
	return nil
}

// logReader is record.NewReader for a log, whose records have its number; the
// number's type has no name that we could use.
func logReader[N ~uint64](make func(io.Reader, N) *record.Reader, r io.Reader, name string) *record.Reader {
	return make(r, N(logNumber(name)))
}

// logNumber is the number in a log's name, 0 if it has none.
func logNumber(name string) uint64 {
	n, _ := strconv.ParseUint(strings.TrimSuffix(path.Base(name), ".log"), 10, 64)
	return n
}

func readAll(f vfs.FS, path string) ([]byte, error) {
	file, err := f.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(file)
	return data, errors.Join(err, file.Close())
}

// records calls f with what the records of a log hold, up to the first that
// cannot be read, be it the end, and returns the offset behind the last that could.
func records(r *record.Reader, f func(found) error) (good int64, err error) {
	var data bytes.Buffer
	for {
		rec, err := r.Next()
		if err == nil {
			data.Reset()
			_, err = io.Copy(&data, rec)
		}
		if err != nil {
			return good, err
		}
		good = r.Offset()
		if f == nil {
			continue
		}
		if err := batch(data.Bytes(), f); err != nil {
			return good, err
		}
	}
}

// batch calls f with what a record of the log writes.
func batch(data []byte, f func(found) error) error {
	h, ok := batchrepr.ReadHeader(data)
	if !ok {
		return batchrepr.ErrInvalidBatch
	}
	sequence := uint64(h.SeqNum)
	for r := batchrepr.Read(data); ; sequence++ {
		kind, k, value, ok, err := r.Next()
		if !ok || err != nil {
			return err
		}
		if err := f(found{k, value, version{sequence: sequence, deleted: kind == pebble.InternalKeyKindDelete}}); err != nil {
			return err
		}
	}
}

// table reads a table. After a block that cannot be read it looks for the next.
func (s *salvage) table(name string, f func(found) error) (err error) {
	file, err := s.fs.Open(s.fs.PathJoin(s.dir, name))
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	var o pebble.Options
	o.EnsureDefaults()
	r, err := sstable.NewReader(context.Background(), readable, o.MakeReaderOptions())
	if err != nil {
		return errors.Join(err, readable.Close())
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	it, err := r.NewIter(sstable.IterTransforms{}, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	return s.entries(name, r, it, f)
}

// entries reads a table's entries.
func (s *salvage) entries(name string, r *sstable.Reader, it sstable.Iterator, f func(found) error) error {
	last := booksKey()
	for kv := it.First(); ; {
		for ; kv != nil; kv = it.Next() {
			last = append(last[:0], kv.K.UserKey...)
			value, _, err := kv.Value(nil)
			if err != nil {
				s.note("%s: %v", name, err)
				continue
			}
			v := version{sequence: uint64(kv.K.SeqNum()), deleted: kv.K.Kind() == pebble.InternalKeyKindDelete}
			if err := f(found{last, value, v}); err != nil {
				return err
			}
		}
		if it.Error() == nil {
			return nil
		}
		s.note("%s: %v", name, it.Error())
		for k := range blocksBeyond(r, last) {
			if kv = it.SeekGE(k, 0); kv != nil || it.Error() == nil {
				break
			}
		}
		if kv == nil {
			return nil
		}
	}
}

// blocksBeyond yields a key in each block behind the one that last is in, as far
// as it can be guessed: to try a block that is damaged takes pebble long.
func blocksBeyond(r *sstable.Reader, last []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		known, err := r.EstimateDiskUsage(last, last, sstable.NoReadEnv)
		if err != nil {
			return
		}
		for k := range beyond(last) {
			var size uint64
			if size, err = r.EstimateDiskUsage(last, k, sstable.NoReadEnv); err != nil {
				return
			}
			if size != known && !yield(k) {
				return
			}
			known = size
		}
	}
}

// beyond yields keys that may be behind those of a block that begins after last.
func beyond(last []byte) iter.Seq[[]byte] {
	const far, pipelines = 4096, 256
	return func(yield func([]byte) bool) {
		k, _ := parseKey(last)
		for n := k.number + 1; n <= k.number+far; n++ {
			next := segmentKey(k.kind, k.pipeline, n)
			if k.kind == keyLetter {
				next = letterKey(n)
			}
			if !yield(next) {
				return
			}
		}
		for kind := k.kind; kind <= keyLetter; kind++ {
			for p := range uint32(pipelines) {
				if next := pipelineKey(kind, p); bytes.Compare(next, last) > 0 && !yield(next) {
					return
				}
			}
		}
	}
}

// batchBytes is about how much is copied in one commit.
const batchBytes = 4 << 20

// write makes a store of the newest of each key.
func (s *salvage) write(dir string, o Options) (result Salvage, err error) {
	w, err := newCopy(dir, o)
	if err != nil {
		return result, err
	}
	err = s.each(func(f found) error {
		v := s.newest[string(f.key)]
		if v != f.version || v.deleted {
			return nil
		}
		delete(s.newest, string(f.key)) // a log may be there twice
		if err := w.put(f.key, f.value); err != nil {
			if errors.Is(err, errWire) {
				s.note("%x: %v", f.key, err)
				return nil
			}
			return err
		}
		return nil
	})
	if err != nil {
		w.g.giveUp()
		return result, err
	}
	result, err = w.finish()
	for _, note := range w.notes {
		s.note("%s", note)
	}
	return result, err
}
