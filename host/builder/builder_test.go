package builder_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/builder"
)

// source writes files into a folder.
func source(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // some are run
			t.Fatal(err)
		}
	}
	return dir
}

const goMod = "module example.com/plugin\n\ngo 1.24\n"

func find(t *testing.T, dir string) *builder.Builder {
	t.Helper()
	b, err := builder.Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var magic = []byte("\x00asm\x01\x00\x00\x00")

func TestGo(t *testing.T) {
	dir := source(t, map[string]string{
		"go.mod":  goMod,
		"main.go": "package main\n\nfunc main() {}\n\n//go:wasmexport answer\nfunc answer() int32 { return 42 }\n",
	})
	before, _ := os.ReadDir(dir)
	module, err := find(t, dir).Build(t.Context(), dir)
	if err != nil || !bytes.HasPrefix(module, magic) || !bytes.Contains(module, []byte("answer")) {
		t.Fatalf("%.20q, %v", module, err)
	}
	if after, _ := os.ReadDir(dir); len(after) != len(before) {
		t.Errorf("the folder has %v", after)
	}
}

func TestGoFails(t *testing.T) {
	dir := source(t, map[string]string{"go.mod": goMod, "main.go": "package main\n\nfunc main() { undefined() }\n"})
	_, err := find(t, dir).Build(t.Context(), dir)
	failure, is := errors.AsType[*builder.Failure](err)
	if !is || !strings.Contains(failure.Output, "main.go:3:15: undefined: undefined") {
		t.Errorf("%T %v", err, err)
	}
}

func TestRust(t *testing.T) {
	if out, _ := exec.Command("rustup", "target", "list", "--installed").Output(); !bytes.Contains(out, []byte("wasm32-unknown-unknown")) {
		t.Skip("Rust's target wasm32-unknown-unknown is not installed")
	}
	dir := source(t, map[string]string{
		"Cargo.toml": "[package]\nname = \"my-plugin\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\ncrate-type = [\"cdylib\"]\n",
		"src/lib.rs": "#[unsafe(no_mangle)]\npub extern \"C\" fn answer() -> i32 { 42 }\n",
	})
	module, err := find(t, dir).Build(t.Context(), dir)
	if err != nil || !bytes.HasPrefix(module, magic) || !bytes.Contains(module, []byte("answer")) {
		t.Errorf("%.20q, %v", module, err)
	}
}

func TestFind(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"a Go module":            {"go.mod", "Go"},
		"a package of a module":  {"main.go", "Go"},
		"a crate":                {"Cargo.toml", "Rust"},
		"none":                   {"README.md", ""},
		"a crate further inside": {"sub/Cargo.toml", ""},
	} {
		b, err := builder.Find(source(t, map[string]string{c.file: ""}))
		switch {
		case c.want == "" && err == nil || c.want != "" && (err != nil || b.Language != c.want):
			t.Errorf("%s: %v, %v", name, b, err)
		case c.want == "" && !strings.Contains(err.Error(), "looked for go.mod or *.go for Go, Cargo.toml for Rust\nhint: "):
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := builder.Find(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// A path is no pattern.
func TestFindOddNames(t *testing.T) {
	for _, name := range []string{"[a-", "*", "a?"} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Skip(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := builder.Find(dir); err != nil {
			t.Error(err)
		}
	}
}

func TestSource(t *testing.T) {
	golang, rust := find(t, source(t, map[string]string{"go.mod": ""})), find(t, source(t, map[string]string{"Cargo.toml": ""}))
	for _, c := range []struct {
		path         string
		dir          bool
		inGo, inRust bool
	}{
		{"main.go", false, true, false},
		{"sub/more.go", false, true, false},
		{"go.mod", false, true, false},
		{"src/lib.rs", false, false, true},
		{"Cargo.lock", false, false, true},
		{"plugin.wasm", false, false, false},
		{"out.txt", false, false, false},
		{".#main.go", false, false, false}, // an editor's lock
		{"main.go~", false, false, false},
		{"src", true, true, true},
		{".git", true, false, false},
		{"sub/target", true, false, false},
		{"node_modules", true, false, false},
	} {
		if golang.Source(c.path, c.dir) != c.inGo || rust.Source(c.path, c.dir) != c.inRust {
			t.Errorf("%s: %v for Go, %v for Rust", c.path, golang.Source(c.path, c.dir), rust.Source(c.path, c.dir))
		}
	}
}

// tools has only these tools installed.
func tools(t *testing.T, files map[string]string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the tools are scripts")
	}
	t.Setenv("PATH", source(t, files))
}

func TestNoTool(t *testing.T) {
	tools(t, nil)
	for mark, want := range map[string]string{
		"go.mod":     "a Go plugin is built by go, which is not installed\nhint: install Go",
		"Cargo.toml": "a Rust plugin is built by cargo, which is not installed\nhint: install Rust",
	} {
		dir := source(t, map[string]string{mark: ""})
		if _, err := find(t, dir).Build(t.Context(), dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", mark, err)
		}
	}
}

// What cargo says is read as it is documented; the real one is TestRust's.
func TestCargo(t *testing.T) {
	made := source(t, map[string]string{"p.wasm": string(magic)})
	artifact := func(name string) string {
		return `echo '{"reason":"compiler-artifact","filenames":["` + filepath.Join(made, "p.rlib") + `","` + filepath.Join(made, name) + `"]}'` + "\n"
	}
	for name, c := range map[string]struct{ script, want string }{
		"built":         {"echo warning >&2\necho '{}'\n" + artifact("p.wasm"), ""},
		"no library":    {artifact("p"), `crate-type = ["cdylib"]`},
		"a workspace":   {artifact("p.wasm") + artifact("q.wasm"), "cargo made 2 .wasm files"},
		"gone":          {artifact("q.wasm"), "read what was built"},
		"fails":         {"echo 'error[E0463]: no such crate' >&2\nexit 101\n", "exit status 101\nerror[E0463]: no such crate"},
		"says too much": {"i=0\nwhile [ $i -lt 300 ]; do i=$((i+1)); echo 'error: 0123456789012345678901234567890123456789012345678901234567890123456789' >&2; done\nexit 1\n", "\n… and 7016 bytes more"},
	} {
		t.Run(name, func(t *testing.T) {
			tools(t, map[string]string{"cargo": "#!/bin/sh\n" + c.script})
			dir := source(t, map[string]string{"Cargo.toml": ""})
			module, err := find(t, dir).Build(t.Context(), dir)
			if c.want == "" && (err != nil || !bytes.Equal(module, magic)) {
				t.Errorf("%q, %v", module, err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// A build that is not wanted any more ends, and with what it was cut by.
func TestCut(t *testing.T) {
	tools(t, map[string]string{"cargo": "#!/bin/sh\nexec /bin/sleep 600\n"})
	dir := source(t, map[string]string{"Cargo.toml": ""})
	ctx, cancel := context.WithCancelCause(t.Context())
	newer := errors.New("the source has changed again")
	time.AfterFunc(50*time.Millisecond, func() { cancel(newer) })
	if _, err := find(t, dir).Build(ctx, dir); !errors.Is(err, newer) {
		t.Error(err)
	}
}
