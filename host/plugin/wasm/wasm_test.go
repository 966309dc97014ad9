package wasm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/relayhost/relayhost/host/plugin/wasm"
)

const header = "\x00asm\x01\x00\x00\x00"

func TestDecodeRefuses(t *testing.T) {
	for _, test := range []struct {
		name, in string
		want     error
		says     string
	}{
		{"nothing", "", wasm.ErrNotModule, "empty"},
		{"text", "(module)", wasm.ErrNotModule, `"(mod"`},
		{"half a header", "\x00as", wasm.ErrTruncated, "byte 0"},
		{"a component", "\x00asm\x0d\x00\x01\x00", wasm.ErrComponent, "layer 1"},
		{"a future version", "\x00asm\x02\x00\x00\x00", wasm.ErrNotModule, "version"},
		{"a section cut off", header + "\x01\x05\x01", wasm.ErrTruncated, "5 bytes are declared, but 1 left at byte 10"},
		{"an unknown section", header + "\x0e\x00", wasm.ErrMalformed, "section 14"},
		{"sections out of order", header + "\x03\x01\x00\x01\x01\x00", wasm.ErrMalformed, "section 1 comes after section 3 at byte 11"},
		{"a section twice", header + "\x01\x01\x00\x01\x01\x00", wasm.ErrMalformed, "comes after"},
		{"a section too long", header + "\x01\x02\x00\x00", wasm.ErrMalformed, "1 bytes too many"},
		{"a million types in 3 bytes", header + "\x01\x03\xc0\x84\x3d", wasm.ErrTruncated, "1000000 types are declared in 0 bytes"},
		{"a body missing", header + "\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00", wasm.ErrMalformed, "1 functions, but 0 bodies"},
		{"an integer too long", header + "\x01\x06\x80\x80\x80\x80\x80\x00", wasm.ErrMalformed, "more than 32 bits"},
		{"a garbage-collected type", header + "\x01\x03\x01\x5f\x00\x00", wasm.ErrTruncated, ""},
		{"a struct type", header + "\x01\x04\x01\x5f\x00\x00", wasm.ErrUnsupported, "garbage collection"},
		{"a tag", header + "\x0d\x01\x00", wasm.ErrUnsupported, "tags"},
		{"a name that is not UTF-8", header + "\x00\x02\x01\xff", wasm.ErrMalformed, "UTF-8"},
		{"an export twice", header + "\x07\x09\x02\x01a\x00\x00\x01a\x00\x00", wasm.ErrMalformed, `"a" is exported twice`},
		{"too many locals", header + "\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x09\x01\x07\x01\xff\xff\xff\xff\x0f\x7f\x0b", wasm.ErrMalformed, ""},
		{"a body without end", header + "\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x04\x01\x02\x00\x01", wasm.ErrMalformed, ""},
		{"an initializer that calls", header + "\x06\x06\x01\x7f\x00\x10\x00\x0b", wasm.ErrMalformed, "instruction 0x10 is not constant"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := wasm.Decode([]byte(test.in))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %v with %q", err, test.want, test.says)
			}
			var detail *wasm.Error
			if !errors.As(err, &detail) || detail.Offset > len(test.in) {
				t.Errorf("%v has no offset inside the file", err)
			}
		})
	}
}

func TestHostileCountsAllocateLittle(t *testing.T) {
	for id := byte(1); id <= 11; id++ {
		in := []byte(header + string(rune(id)) + "\x06\xff\xff\xff\xff\x0f\x00")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := wasm.Decode(in)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("section %d: accepted", id)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
			t.Errorf("section %d: allocated %d bytes", id, n)
		}
	}
}

// specSuite returns the directory of the WebAssembly core test suite that
// wazero ships, and the modules in it that are meant to be well-formed.
func specSuite(tb testing.TB) []string {
	tb.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		tb.Fatalf("locate wazero: %v", err)
	}
	root := filepath.Join(strings.TrimSpace(string(dir)), "internal", "integration_test", "spectest")
	var files []string
	for _, suite := range []string{"v1", "v2", "threads", "tail-call", "extended-const"} {
		scripts, _ := filepath.Glob(filepath.Join(root, suite, "testdata", "*.json"))
		for _, script := range scripts {
			files = append(files, wellFormed(tb, script)...)
		}
	}
	return files
}

func wellFormed(tb testing.TB, script string) []string {
	tb.Helper()
	b, err := os.ReadFile(script)
	if err != nil {
		tb.Fatal(err)
	}
	var suite struct {
		Commands []struct{ Type, Filename string }
	}
	if err := json.Unmarshal(b, &suite); err != nil {
		tb.Fatal(err)
	}
	var files []string
	for _, c := range suite.Commands {
		switch c.Type {
		case "module", "assert_unlinkable", "assert_uninstantiable":
			files = append(files, filepath.Join(filepath.Dir(script), c.Filename))
		}
	}
	return files
}

func TestSpecSuiteDecodes(t *testing.T) {
	files := specSuite(t)
	if len(files) < 1000 {
		t.Fatalf("found %d modules only", len(files))
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkRoundTrip(b); err != nil {
			t.Errorf("%s/%s: %v", filepath.Base(filepath.Dir(filepath.Dir(file))), filepath.Base(file), err)
		}
	}
}

// checkRoundTrip decodes b, and holds what it encodes to be stable.
func checkRoundTrip(b []byte) error {
	m, err := wasm.Decode(b)
	if err != nil {
		return err
	}
	once := m.Encode()
	again, err := wasm.Decode(once)
	if err != nil {
		return fmt.Errorf("the encoding does not decode: %v", err)
	}
	if twice := again.Encode(); !bytes.Equal(once, twice) {
		return errors.New("encoding is not stable")
	}
	return nil
}

func TestLookups(t *testing.T) {
	one := uint32(1)
	want := &wasm.Module{
		Types: []wasm.FuncType{{}, {Params: []wasm.ValueType{wasm.I32, wasm.I64}, Results: []wasm.ValueType{wasm.F64}}},
		Imports: []wasm.Import{
			{Module: "a", Name: "f", Kind: wasm.KindFunc, Func: 1},
			{Module: "a", Name: "g", Kind: wasm.KindGlobal, Global: wasm.GlobalType{Type: wasm.V128}},
			{Module: "a", Name: "t", Kind: wasm.KindTable, Table: wasm.TableType{Type: wasm.ExternRef}},
		},
		Functions: []uint32{0, 9},
		Memories:  []wasm.Limits{{Min: 1, Max: 1 << 40, HasMax: true, Is64: true}},
		Globals:   []wasm.Global{{Type: wasm.GlobalType{Type: wasm.I32, Mutable: true}, Init: wasm.Expr{0x41, 1, 0x0b}}},
		Exports:   []wasm.Export{{Name: "f", Kind: wasm.KindFunc, Index: 1}},
		Start:     &one,
		Elements: []wasm.Element{
			{Offset: wasm.Expr{0x41, 0, 0x0b}, Type: wasm.ExternRef, Exprs: []wasm.Expr{{0xd0, 0x6f, 0x0b}}},
			{Mode: wasm.Passive, Type: wasm.FuncRef, Funcs: []uint32{0}},
			{Mode: wasm.Declarative, Type: wasm.FuncRef, Exprs: []wasm.Expr{}},
		},
		DataCount: &one,
		Code: []wasm.Code{
			{Locals: []wasm.Locals{{Count: 3, Type: wasm.I32}}, Body: []byte{0x01, 0x0b}},
			{Body: []byte{0x0b}},
		},
		Data:    []wasm.Data{{Mode: wasm.Passive, Init: []byte("data")}},
		Customs: []wasm.Custom{{Name: "first", Content: []byte{1}}, {After: 11, Name: "name", Content: []byte{0}}},
	}
	m, err := wasm.Decode(want.Encode())
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Code {
		m.Code[i].Offset = 0
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	if ft, ok := m.FuncType(0); !ok || ft.String() != "(i32, i64) -> f64" {
		t.Errorf("function 0: %v %v", ft, ok)
	}
	if ft, ok := m.FuncType(1); !ok || ft.String() != "() -> ()" {
		t.Errorf("function 1: %v %v", ft, ok)
	}
	for _, index := range []uint32{2, 3, 1<<32 - 1} {
		if _, ok := m.FuncType(index); ok {
			t.Errorf("function %d has a type", index)
		}
	}
	if g, ok := m.Global(1); !ok || g.Type != wasm.I32 || !g.Mutable {
		t.Errorf("global 1: %v %v", g, ok)
	}
	if table, ok := m.Table(0); !ok || table.Type != wasm.ExternRef {
		t.Errorf("table 0: %v %v", table, ok)
	}
	if memory, ok := m.Memory(0); !ok || !memory.Is64 {
		t.Errorf("memory 0: %v %v", memory, ok)
	}
	if e, ok := m.Export("f"); !ok || e.Index != 1 {
		t.Errorf("export f: %v %v", e, ok)
	}
	if _, ok := m.Export("g"); ok {
		t.Error("export g exists")
	}
}

func TestExprFuncs(t *testing.T) {
	e := wasm.Expr{0xd2, 0x7f, 0x0b}
	got := e.Funcs(func(i uint32) uint32 { return i + 1 })
	if want := (wasm.Expr{0xd2, 0x80, 0x01, 0x0b}); !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	for i, file := range specSuite(f) {
		if b, err := os.ReadFile(file); err == nil && i%25 == 0 && len(b) < 4096 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := checkRoundTrip(b); err != nil && !isOurs(err) {
			t.Fatal(err)
		}
	})
}

func isOurs(err error) bool {
	var detail *wasm.Error
	return errors.As(err, &detail)
}
