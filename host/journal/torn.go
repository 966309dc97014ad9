package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// With fsync interval and off the end of the log may be torn anywhere when the
// machine stops, while what pebble wrote into it says that it was synced. So a
// store that was used like that and was not closed is marked, and the last of its
// logs is read up to the first record that is not whole.
const unsyncedName = "unsynced"

// mayBeTorn reports whether the end of the last log proves nothing.
func mayBeTorn(f vfs.FS, store string) (bool, error) {
	marked, err := exists(f, f.PathJoin(store, unsyncedName))
	if !marked || err != nil {
		return false, err
	}
	sealed, err := exists(f, sealPath(f, store))
	return !sealed, err
}

func exists(f vfs.FS, path string) (bool, error) {
	_, err := f.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// markUnsynced marks a store before it is used, or takes the mark away.
func (j *Journal) markUnsynced() error {
	path := j.o.FS.PathJoin(j.storeDir(), unsyncedName)
	marked, err := exists(j.o.FS, path)
	wanted := j.o.Fsync != Always
	switch {
	case err != nil || marked == wanted:
		return err
	case wanted:
		err = writeFile(j.o.FS, path, nil)
	default:
		err = j.o.FS.Remove(path)
	}
	return errors.Join(err, syncFolder(j.o.FS, j.storeDir()))
}

// lastLog is the path of the newest log.
func lastLog(f vfs.FS, store string) (string, error) {
	names, err := f.List(store)
	last := ""
	for _, name := range names {
		if isLog(name) {
			last = max(last, name)
		}
	}
	return f.PathJoin(store, last), err
}

// whole is how much of a log is whole records.
func whole(f vfs.FS, path string) (int64, error) {
	file, err := f.Open(path)
	if err != nil {
		return 0, err
	}
	good, err := records(logReader(record.NewReader, file, path), nil)
	if errors.Is(err, io.EOF) || record.IsInvalidRecord(err) {
		err = nil
	}
	return good, errors.Join(err, file.Close())
}

// checkTail makes sure that what is not whole in the last log is at its end. A
// commit is synced before the next one is written, so that a crash can tear one
// alone: where another follows, it was torn by something else. Pebble itself
// looks for that in later blocks of the log only.
func checkTail(f vfs.FS, store string, log *slog.Logger) error {
	path, err := lastLog(f, store)
	if err != nil || !isLog(path) {
		return err
	}
	data, err := readAll(f, path)
	if err != nil {
		return err
	}
	good, err := records(logReader(record.NewReader, bytes.NewReader(data), path), nil)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if at := nextRecord(data, int(good)+1, uint32(logNumber(path))); at >= 0 { //nolint:gosec // as pebble does
		return fmt.Errorf("%s cannot be read at %d, and goes on at %d", f.PathBase(path), good, at)
	}
	log.Warn("the end of the journal's log is not whole: what was being written there when the host or the machine stopped had not been kept",
		"file", path, "bytes", len(data)-int(good), "hint", "if that file was not cut or copied by hand since, nothing is missing")
	return nil
}

// The header of a chunk of a log, see pebble's package record: the checksum of
// what follows the length, the length of the data, the type, the log's number,
// and how much of it was synced.
const (
	chunkHeader = 19
	chunkFull   = 9
	chunkFirst  = 10
)

// nextRecord is where a record begins that is whole or may be, -1 if none does.
func nextRecord(data []byte, from int, log uint32) int {
	table := crc32.MakeTable(crc32.Castagnoli)
	for at := from; at+chunkHeader <= len(data); at++ {
		h := data[at:]
		if (h[6] != chunkFull && h[6] != chunkFirst) || binary.LittleEndian.Uint32(h[7:]) != log {
			continue
		}
		end := chunkHeader + int(binary.LittleEndian.Uint16(h[4:]))
		if end > len(h) {
			continue
		}
		c := crc32.Checksum(h[6:end], table)
		if (c>>15|c<<17)+0xa282ead8 == binary.LittleEndian.Uint32(h) {
			return at
		}
	}
	return -1
}

// head is the beginning of a file.
type head struct {
	vfs.File
	left int64
}

// Read reads on.
func (h *head) Read(p []byte) (int, error) {
	if h.left <= 0 {
		return 0, io.EOF
	}
	n, err := h.File.Read(p[:min(int64(len(p)), h.left)])
	h.left -= int64(n)
	return n, err
}
