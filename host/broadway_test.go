package host

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/relayhost/relayhost/host/config"
)

// The example of docs/broadway.md is a configuration without a fault and a
// plugin that compiles.
func TestBroadwayExample(t *testing.T) {
	doc := text(t, "../docs/broadway.md")
	t.Setenv("DESTINATION", "6b0a4f3e-8f0c-4c1d-9a55-0d6f3a1e2b7c")
	t.Setenv("TOKEN", "dDp0")
	c, err := config.Parse("relayhost.toml", []byte(block(t, doc, "toml")))
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Pipelines[0]; p.Batchers[1].PartitionBy.String() != "user_key" || string(p.Plugin.Config) != `{"large":1000}` {
		t.Errorf("got %+v", p)
	}

	file := filepath.Join(t.TempDir(), "main.go")
	write(t, file, []byte(block(t, doc, "go")))
	where, err := filepath.Abs("../plugins/orders/main.go")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{where: file}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, file+".json", overlay)
	build := exec.Command("go", "build", "-o", os.DevNull, "-overlay", file+".json", "./orders")
	build.Dir = "../plugins"
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// block is a document's one block of a language.
func block(t *testing.T, doc, language string) string {
	t.Helper()
	found := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(doc, -1)
	if len(found) != 1 {
		t.Fatalf("there are %d blocks of %s", len(found), language)
	}
	return found[0][1]
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
