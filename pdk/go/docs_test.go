package relay_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The plugin of docs/plugins-go.md builds, and its test passes, as it stands;
// so does what the sections about each operation add to it.
func TestDocs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/plugins-go.md")
	if err != nil {
		t.Fatal(err)
	}
	files, parts := goBlocks(string(doc))
	if len(files) != 2 || len(parts) == 0 {
		t.Fatalf("%d Go files, want the plugin and its test; %d parts of one", len(files), len(parts))
	}
	// Inside this module, so that what it imports is what is here.
	dir, err := os.MkdirTemp("testdata", "docs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for name, text := range map[string]string{
		"main.go": files[0], "main_test.go": files[1], "parts.go": partsHead + strings.Join(parts, "\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	goRun(t, nil, "test", "./"+dir)
	goRun(t, []string{"GOOS=wasip1", "GOARCH=wasm"}, "build", "-buildmode=c-shared", "-o", filepath.Join(dir, "p.wasm"), "./"+dir)
}

const partsHead = `package main

import (
	"bytes"
	"errors"
	"strconv"

	relay "github.com/relayhost/relayhost/pdk/go"
	"github.com/relayhost/relayhost/pdk/go/failed"
	"github.com/relayhost/relayhost/pdk/go/prepare"
)

`

// goBlocks are the Go blocks that are whole files, and the others.
func goBlocks(doc string) (files, parts []string) {
	for _, part := range strings.Split(doc, "```go\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		if strings.HasPrefix(block, "package ") {
			files = append(files, block)
		} else {
			parts = append(parts, block)
		}
	}
	return files, parts
}

func goRun(t *testing.T, env []string, args ...string) {
	t.Helper()
	command := exec.Command("go", args...)
	command.Env = append(os.Environ(), env...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
