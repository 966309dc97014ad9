package journal_test

import (
	"bytes"
	"testing"

	"github.com/relayhost/relayhost/host/journal"
)

// fuzz decodes anything: what decodes is encoded to something that decodes to the
// same.
func fuzz(f *testing.F, what string, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Add([]byte{})
	f.Add([]byte{2})
	decode := journal.Decoders[what]
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := decode(data)
		if err != nil || once == nil {
			return
		}
		twice, err := decode(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%x\n%x\n%x: %v", data, once, twice, err)
		}
	})
}

func FuzzSegment(f *testing.F) {
	fuzz(f, "segment", "\x01\x00\x02\x00\x02\x00\x00\x02\x01a\x01b\x00\x00\x04\x00\x00", "\x01\x01\x09\x02\x01\x08\x00\x01\x00\x00")
}

func FuzzMarks(f *testing.F) { fuzz(f, "marks", "\x01\x02\x02\x02\x01a\x04\x01b") }

func FuzzLetter(f *testing.F) {
	fuzz(f, "letter", "\x01\x01p\x01e\x02\x01x\x02\x01r\x01t\x03\x01d\x02\x04\x00")
}

func FuzzBooks(f *testing.F) { fuzz(f, "books", "\x01\x01\x02\x03\x04\x05\x06") }
