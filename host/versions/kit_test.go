package versions_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/versions"
)

// disk is a folder of versions that is opened again and again.
type disk struct {
	testing.TB
	dir  string
	keep int
	log  bytes.Buffer
}

func newDisk(t testing.TB, keep int) *disk {
	return &disk{TB: t, dir: filepath.Join(t.TempDir(), "kept", "versions"), keep: keep}
}

// open is the history of the pipeline users, as a host finds it that starts.
func (d *disk) open() *versions.History {
	d.Helper()
	s, err := versions.Open(d.dir, d.keep, slog.New(slog.NewTextHandler(&d.log, nil)))
	if err != nil {
		d.Fatal(err)
	}
	h, err := s.Pipeline("users")
	if err != nil {
		d.Fatal(err)
	}
	return h
}

func (d *disk) path(name string) string { return filepath.Join(d.dir, "users", name) }

// files are the names in the pipeline's folder.
func (d *disk) files() string {
	d.Helper()
	entries, err := os.ReadDir(d.path(""))
	if err != nil {
		d.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func (d *disk) write(name, content string) {
	d.Helper()
	if err := os.WriteFile(d.path(name), []byte(content), 0o600); err != nil {
		d.Fatal(err)
	}
}

// warned expects a line in the log, and forgets what was logged.
func (d *disk) warned(want string) {
	d.Helper()
	if got := d.log.String(); !strings.Contains(got, want) || want == "" && got != "" {
		d.Errorf("logged %q, want %q", got, want)
	}
	d.log.Reset()
}

func digest(file string) string {
	sum := sha256.Sum256([]byte(file))
	return hex.EncodeToString(sum[:])
}

func goLive(t testing.TB, h *versions.History, file string) {
	t.Helper()
	if err := h.GoLive(versions.Version{Source: file + ".wasm", Settings: "s"}, []byte(file)); err != nil {
		t.Fatal(err)
	}
}

func rollBack(t testing.TB, h *versions.History, file, why string) {
	t.Helper()
	if err := h.RolledBack(versions.Version{Digest: digest(file), Reason: why}); err != nil {
		t.Fatal(err)
	}
}

// is expects a history's sources and states, the live one first.
func is(t testing.TB, h *versions.History, want string) {
	t.Helper()
	var got []string
	for _, v := range h.Versions() {
		got = append(got, strings.TrimSuffix(v.Source, ".wasm")+" "+string(v.State))
	}
	if strings.Join(got, ", ") != want {
		t.Errorf("the history is %s, want %s", strings.Join(got, ", "), want)
	}
}

// live expects a file to be the live one.
func live(t testing.TB, h *versions.History, want string) {
	t.Helper()
	v, file, err := h.Live()
	if err != nil || string(file) != want || v.Digest != digest(want) || v.Size != len(want) {
		t.Errorf("live is %q, %+v, %v, want %s", file, v, err, want)
	}
}
