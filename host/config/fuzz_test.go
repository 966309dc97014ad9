package config_test

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/config"
)

// odd are documents with the notations that a scanner gets wrong.
var odd = []string{
	"\ufeffa = 1\r\n[b]\r\nc = 2\r\n",
	"a.b.\"c d\".'e' = [1, [2, {f = 3}], # no ]\n 4]\n",
	"\"\\u0061\\x62\\e\\\"\" = \"\"\"x\n\\\"\"\"\n\"\"\"\"\"\nb = '''\n]'''''\n",
	"[[a]]\n[a.b]\nc = 1\n[[a]]\n[[a.d]]\n[[a.d]]\ne = {}\n",
	"a = {\n b.c = [ { d = 1979-05-27 07:32:00 } ], # }\n e = \"}\", }\n",
	"[ a . \"b\" ]\nc=nan\n[a]\nd=-inf#\n",
	"\xff\xfea = 1", "[[[[", "a = [[[[", "\"", "a = \"\\", "a = '''",
}

func seed(f *testing.F) {
	example, err := os.ReadFile("../../relayhost.toml")
	if err != nil {
		f.Fatal(err)
	}
	full, err := os.ReadFile("testdata/full.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, doc := range append(odd, smallest, string(example), string(full)) {
		f.Add([]byte(doc))
	}
	for _, c := range slices.Concat(faulty, rarer) {
		if len(c.doc) < 4096 {
			f.Add([]byte(c.doc))
		}
	}
}

// FuzzParse: no file makes Parse panic, and every fault has a line of the file.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("relayhost.toml", data)
		if err == nil {
			if len(c.Pipelines) == 0 {
				t.Fatal("no fault, and no pipeline")
			}
			return
		}
		var faults config.Faults
		if !errors.As(err, &faults) || len(faults) == 0 {
			t.Fatalf("got %T", err)
		}
		last := strings.Count(string(data), "\n") + 1
		for _, fault := range faults {
			if fault.Line < 1 || fault.Line > last || fault.Problem == "" {
				t.Fatalf("fault of line %d in a file of %d: %v", fault.Line, last, fault)
			}
		}
	})
}

// FuzzScan: whatever the library decodes, the outline has its shape, and each
// line has its key.
func FuzzScan(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		document, outline, fault := config.Decode(data)
		if fault != nil {
			return
		}
		alike(t, strings.Split(string(data), "\n"), "", document, outline)
	})
}

func alike(t *testing.T, lines []string, path string, value any, at *config.Outline) {
	if at.Line() < 1 || at.Line() > len(lines) {
		t.Fatalf("%s: line %d of %d", path, at.Line(), len(lines))
	}
	switch v := value.(type) {
	case map[string]any:
		if !slices.Equal(slices.Sorted(maps.Keys(v)), slices.Sorted(maps.Keys(at.Fields()))) {
			t.Fatalf("%s: the library has %q, the outline %q", path, slices.Sorted(maps.Keys(v)), slices.Sorted(maps.Keys(at.Fields())))
		}
		for name, field := range at.Fields() {
			line := lines[field.Line()-1]
			if !strings.Contains(line, name) && !strings.Contains(line, `\`) {
				t.Fatalf("%s.%s is not on line %d: %s", path, name, field.Line(), line)
			}
			if name == "" {
				continue // the library takes a.'' = [[{}]] for a.'' = [{}]
			}
			alike(t, lines, path+"."+name, v[name], field)
		}
	case []map[string]any:
		alikeItems(t, lines, path, v, at)
	case []any:
		alikeItems(t, lines, path, v, at)
	}
}

func alikeItems[T any](t *testing.T, lines []string, path string, items []T, at *config.Outline) {
	if len(items) != len(at.Items()) {
		t.Fatalf("%s: the library has %d items, the outline %d", path, len(items), len(at.Items()))
	}
	for i, item := range items {
		alike(t, lines, path+"[]", item, at.Items()[i])
	}
}
