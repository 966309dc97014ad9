package provenance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/provenance"
)

func TestFindSignature(t *testing.T) {
	module := filepath.Join(t.TempDir(), "plugin.wasm")
	if got := provenance.FindSignature(module, ""); got != module+".sig" {
		t.Errorf("without a file: %s", got)
	}
	write(t, module+".sig", "")
	write(t, module+".minisig", "")
	if got := provenance.FindSignature(module, ""); got != module+".minisig" {
		t.Errorf("with both: %s", got)
	}
	if got := provenance.FindSignature(module, "other"); got != "other" {
		t.Errorf("configured: %s", got)
	}
}

func TestReadSignature(t *testing.T) {
	dir := t.TempDir()
	small, large := filepath.Join(dir, "small"), filepath.Join(dir, "large")
	write(t, small, "signature")
	write(t, large, strings.Repeat("x", 64<<10+1))
	if text, err := provenance.ReadSignature(small); err != nil || string(text) != "signature" {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := provenance.ReadSignature(filepath.Join(dir, "none")); err != nil || text != nil {
		t.Errorf("no file: %q, %v", text, err)
	}
	for path, want := range map[string]string{
		large: "has more than 65536 bytes\nhint: ", dir: "not a regular file", os.DevNull: "not a regular file",
	} {
		if _, err := provenance.ReadSignature(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
