package versions_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/relayhost/relayhost/host/versions"
)

// An index that is taken is the same when it is written down again.
func FuzzIndex(f *testing.F) {
	d := newDisk(f, 3)
	h := d.open()
	goLive(f, h, "v1")
	goLive(f, h, "v2")
	rollBack(f, h, "v2", "slow")
	whole, err := os.ReadFile(d.path("index.json"))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(whole), "", "{}", `{"format": 1}`, `{"format": 1, "kept": [{}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		once, err := versions.ParseIndex(text)
		if err != nil {
			return
		}
		again, err := versions.ParseIndex(once)
		if err != nil || !bytes.Equal(once, again) {
			t.Errorf("%q is written as %q, and then as %q: %v", text, once, again, err)
		}
	})
}
