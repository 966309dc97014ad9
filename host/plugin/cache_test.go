package plugin_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// cached loads the puppet with a cache and returns what was logged.
func cached(t *testing.T, dir string) string {
	t.Helper()
	log := &logbook{}
	t.Run("load", func(t *testing.T) {
		engine, l := open(t, plugin.Options{CacheDir: dir})
		slot := newSlot(t, load(t, engine, module(t, "puppet"), plugin.Settings{}))
		if got := slot.HandleMessage(order(cmdCount)); !got.OK() {
			t.Errorf("handle_message: %+v", got)
		}
		log = l
	})
	return log.String()
}

func entries(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestCacheIsUsedAndPrivate(t *testing.T) {
	dir := t.TempDir()
	if log := cached(t, dir); log != "" {
		t.Errorf("first start: %s", log)
	}
	before := entries(t, dir)
	if log := cached(t, dir); log != "" {
		t.Errorf("second start: %s", log)
	}
	if after := entries(t, dir); len(before) == 0 || len(after) != len(before) {
		t.Errorf("entries before %v, after %v", before, after)
	}
	info, err := os.Stat(filepath.Join(dir, "compiled"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the cache's directory: %v, %v", info.Mode(), err)
	}
}

// Wherever an entry is damaged, it is compiled anew with one warning.
func TestDamagedCache(t *testing.T) {
	dir := t.TempDir()
	cached(t, dir)
	for _, file := range entries(t, dir) {
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(good); i += 1 + len(good)/20 {
			damaged := append([]byte(nil), good...)
			damaged[i] ^= 0x41
			damage(t, dir, file, damaged)
			damage(t, dir, file, good[:i])
		}
	}
}

func damage(t *testing.T, dir, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if log := cached(t, dir); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "damaged") {
		t.Errorf("%s damaged: %s", filepath.Base(file), log)
	}
}

// Without a usable directory there is one warning, and no cache.
func TestUnusableCache(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := t.TempDir()
	if err := os.Mkdir(filepath.Join(open, "compiled"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(open, "compiled"), 0o777); err != nil { //nolint:gosec // that is the fault
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"a file": file, "below a file": filepath.Join(file, "x"), "open to others": open} {
		if log := cached(t, dir); strings.Count(log, "without a compilation cache") != 1 {
			t.Errorf("%s: %s", name, log)
		}
	}
}

// A cache that fails while the engine runs is given up with one warning.
func TestCacheFailsLater(t *testing.T) {
	dir := t.TempDir()
	engine, log := open(t, plugin.Options{CacheDir: dir})
	slot := newSlot(t, load(t, engine, module(t, "puppet"), plugin.Settings{}))
	versions, err := os.ReadDir(filepath.Join(dir, "compiled"))
	if err != nil || len(versions) != 1 {
		t.Fatalf("%v, %v", versions, err)
	}
	version := filepath.Join(dir, "compiled", versions[0].Name())
	if err := os.RemoveAll(version); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(version, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"spec", "echo"} {
		slot := newSlot(t, load(t, engine, module(t, name), plugin.Settings{}))
		if got := slot.HandleMessage(&message.Message{}); !got.OK() {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := slot.HandleMessage(order(cmdCount)); !got.OK() {
		t.Errorf("the plugin from before: %+v", got)
	}
	if n := strings.Count(log.String(), "going on without the compilation cache"); n != 1 {
		t.Errorf("%d warnings: %s", n, log)
	}
}

// A module that does not compile is its own fault, not the cache's.
func TestBadModuleKeepsCache(t *testing.T) {
	engine, log := open(t, plugin.Options{CacheDir: t.TempDir()})
	bad := edit(t, func(m *wasm.Module) { m.Code[0].Body = []byte{0x6a, 0x0b} })
	if _, err := engine.Load(t.Context(), "p.wasm", bad, plugin.Settings{}); err == nil {
		t.Error("loaded")
	}
	if log.String() != "" {
		t.Errorf("logged %s", log)
	}
}
