package builder_test

import (
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/builder"
)

// A crate's build script can print anything.
func FuzzArtifact(f *testing.F) {
	f.Add([]byte(`{"reason":"compiler-artifact","filenames":["/t/a.rlib","/t/p.wasm"]}` + "\n" + `{"reason":"build-finished"}`))
	f.Add([]byte("warning: {}\n{\"reason\":"))
	f.Fuzz(func(t *testing.T, stdout []byte) {
		if file, err := builder.Artifact(stdout); (err == nil) != strings.HasSuffix(file, ".wasm") {
			t.Errorf("%q, %v", file, err)
		}
	})
}
