package main

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/plugins"
)

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// varying is what of a transcript differs from one run, machine or compiler to
// the next. Go's programs use thousands of units of fuel, handwritten ones few.
// A server gives its events ids by chance.
var varying = regexp.MustCompile(`[0-9.]+[mµ]?s\b|fuel=[0-9]{4,}|"duration_us":[0-9]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// The transcripts of docs/plugin-commands.md are what the commands print.
func TestPluginCommandsDocument(t *testing.T) {
	doc := readText(t, "../../docs/plugin-commands.md")
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	if err := os.CopyFS(dir, os.DirFS("testdata/guests")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	wishes := `{"id": "ok"} {"id": "f"} {"id": "t"} {"id": "r"}`
	if err := os.WriteFile("wishes.jsonl", []byte(wishes), 0o600); err != nil {
		t.Fatal(err)
	}
	people := `{"data": {"person": {"first_name": "Ada"}}} {"data": {}}
		{"data": {"person": {"first_name": "Betty"}}} {"data": {"person": {"first_name": "Bill"}}}`
	if err := os.WriteFile("people.jsonl", []byte(people), 0o600); err != nil {
		t.Fatal(err)
	}
	good := `{"data": {"person": {"first_name": "Ada"}}}` + "\n" + `{"data": {"person": {"first_name": "Betty"}}}`
	if err := os.WriteFile("good.jsonl", []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("upcase.wasm", plugins.Upcase, 0o600); err != nil {
		t.Fatal(err)
	}
	transcripts(t, doc, 6)
}

// The transcript of docs/dev.md is what the command prints.
func TestDevDocument(t *testing.T) {
	doc := readText(t, "../../docs/dev.md")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Chdir(t.TempDir())
	if err := os.WriteFile("upcase.wasm", plugins.Upcase, 0o600); err != nil {
		t.Fatal(err)
	}
	transcripts(t, doc, 1)
}

// transcripts runs the n commands of a document, and compares what they print.
func transcripts(t *testing.T, doc string, n int) {
	t.Helper()
	blocks := strings.Split(doc, "```console\n$ relayhost ")[1:]
	if len(blocks) != n {
		t.Fatalf("there are %d transcripts, want %d", len(blocks), n)
	}
	for _, block := range blocks {
		command, rest, _ := strings.Cut(block, "\n")
		want, _, _ := strings.Cut(rest, "```")
		var out, stderr bytes.Buffer
		run(strings.Fields(command), process{in: strings.NewReader(""), out: &out, err: &stderr})
		got := out.String()
		if varying.ReplaceAllString(got, "#") != varying.ReplaceAllString(want, "#") {
			t.Errorf("%s printed\n%s\nand says\n%s", command, got, stderr.String())
		}
	}
}

// Every limit that is shown is a key of the configuration, and every field of
// the JSON is in the document.
func TestPluginInspectionIsDocumented(t *testing.T) {
	found, err := plugin.Inspect([]byte(readText(t, "testdata/guests/wish.wasm")), plugin.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	config := readText(t, "../../docs/config.md")
	for _, l := range found.Limits {
		if !strings.Contains(config, "| `"+l.Name+"` |") {
			t.Errorf("limit %s is no key of docs/config.md", l.Name)
		}
	}
	text, err := json.Marshal(inspected{File: "wish.wasm", Inspection: found})
	if err != nil {
		t.Fatal(err)
	}
	doc := readText(t, "../../docs/plugin-commands.md")
	for _, field := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(doc, field[1]+"`") {
			t.Errorf("field %s is not in docs/plugin-commands.md", field[1])
		}
	}
}
