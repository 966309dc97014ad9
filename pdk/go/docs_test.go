package relay_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The plugin of docs/plugins-go.md builds, and its test passes, as it stands.
func TestDocs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/plugins-go.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlocks(string(doc))
	if len(blocks) != 2 {
		t.Fatalf("%d Go blocks, want the plugin and its test", len(blocks))
	}
	// Inside this module, so that what it imports is what is here.
	dir, err := os.MkdirTemp("testdata", "docs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for name, text := range map[string]string{"main.go": blocks[0], "main_test.go": blocks[1]} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	goRun(t, nil, "test", "./"+dir)
	goRun(t, []string{"GOOS=wasip1", "GOARCH=wasm"}, "build", "-buildmode=c-shared", "-o", filepath.Join(dir, "p.wasm"), "./"+dir)
}

func goBlocks(doc string) (blocks []string) {
	for _, part := range strings.Split(doc, "```go\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, block)
	}
	return blocks
}

func goRun(t *testing.T, env []string, args ...string) {
	t.Helper()
	command := exec.Command("go", args...)
	command.Env = append(os.Environ(), env...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
