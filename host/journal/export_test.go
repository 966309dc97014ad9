package journal

import (
	"bytes"
	"io"
	"time"

	"github.com/cockroachdb/pebble/v2/record"

	"github.com/relayhost/relayhost/host/message"
)

// LastRecord is where the last record of a log begins.
func LastRecord(log []byte, name string) (at int64) {
	r := logReader(record.NewReader, bytes.NewReader(log), name)
	for {
		begin := r.Offset()
		rec, err := r.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, rec)
		}
		if err != nil {
			return at
		}
		at = begin
	}
}

// SetMemTable makes the store write tables sooner, so that tests see it do so.
func SetMemTable(size uint64) (before uint64) {
	before, memTable = memTable, size
	return before
}

// SetCloseWait says how long Close waits for the disk.
func SetCloseWait(d time.Duration) (before time.Duration) {
	before, closeWait = closeWait, d
	return before
}

// SetSparse says from how many bytes on that are held for nothing pulls are
// rewritten.
func SetSparse(size int64) (before int64) {
	before, sparseBytes = sparseBytes, size
	return before
}

// Ordered is how many pulls are kept in the order of their positions.
func Ordered(i *Inbox) int {
	i.j.mu.Lock()
	defer i.j.mu.Unlock()
	return i.p.byPosition.Len()
}

// Decoders are those of what the store holds: each decodes data and encodes what
// it found again.
var Decoders = map[string]func(data []byte) ([]byte, error){
	"segment": func(data []byte) ([]byte, error) {
		v, err := decodeSegment(data)
		if err != nil {
			return nil, err
		}
		return appendSegment(nil, v), nil
	},
	"marks": func(data []byte) ([]byte, error) {
		marks, err := decodeMarks(data)
		if err != nil || len(marks) == 0 {
			return nil, err
		}
		messages := make([]*message.Message, len(marks))
		for i, m := range marks {
			messages[i] = &message.Message{ID: m.ID, Position: m.Position}
		}
		return appendMarks(nil, marks[0].At, messages), nil
	},
	"letter": func(data []byte) ([]byte, error) {
		d, err := decodeLetter(data)
		if err != nil {
			return nil, err
		}
		return appendLetter(nil, d), nil
	},
	"books": func(data []byte) ([]byte, error) {
		k, err := decodeBooks(data)
		if err != nil {
			return nil, err
		}
		return appendBooks(nil, k), nil
	},
}
