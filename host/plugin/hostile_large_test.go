package plugin_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// Modules that are too large to be kept are made here: the puppet, and more.

// addFunction gives a module one more function, with locals of type i64.
func addFunction(m *wasm.Module, typ wasm.FuncType, locals int, body ...[]byte) {
	m.Types = append(m.Types, typ)
	addFunctions(m, 1, wasm.Code{
		Locals: []wasm.Locals{{Count: uint32(locals), Type: wasm.I64}},
		Body:   append(bytes.Join(body, nil), 0x0b),
	})
}

// addFunctions gives a module n functions of the last type.
func addFunctions(m *wasm.Module, n int, code wasm.Code) {
	for range n {
		m.Functions = append(m.Functions, uint32(len(m.Types)-1))
		m.Code = append(m.Code, code)
	}
}

func repeat(n int, code ...byte) []byte { return bytes.Repeat(code, n) }

// locals reads and then writes n locals, so that loops around must carry them.
func locals(n uint32) (code []byte) {
	for i := range n {
		code = append(wasm.AppendU32(append(code, 0x20), i), 0x1a)
		code = wasm.AppendU32(append(code, 0x42, 1, 0x21), i)
	}
	return code
}

// brTable chooses among n targets, all of them the innermost block.
func brTable(n uint32) []byte {
	return append(wasm.AppendU32([]byte{0x41, 0, 0x0e}, n), repeat(int(n)+1, 0)...)
}

func i64s(n int) []wasm.ValueType { return slices.Repeat([]wasm.ValueType{wasm.I64}, n) }

// nameSection is a name section of raw content.
func nameSection(content ...byte) func(*wasm.Module) {
	return func(m *wasm.Module) {
		m.Customs = append(m.Customs, wasm.Custom{Name: "name", After: 11, Content: content})
	}
}

var (
	none     = wasm.FuncType{}
	testLoop = []byte{0x03, 0x40, 0x41, 0, 0x0d, 0, 0x0b} // loop (br_if 0 (i32.const 0)) end
	testIf   = []byte{0x41, 0, 0x04, 0x40, 0x0b}
)

// bombs keep the decoder, the meter or the compiler busy, or fill the memory,
// with a file that is small or at least not too large. What they have is the
// words that a refusal has; the others are within the limits, and must be
// loaded in a time that is bounded.
var bombs = []struct {
	name, refused string
	change        func(*wasm.Module)
}{
	{"a million functions", "functions, and the limit is 100000", func(m *wasm.Module) {
		addFunction(m, none, 0)
		addFunctions(m, 990_000, m.Code[len(m.Code)-1])
	}},
	{"99,000 functions", "", func(m *wasm.Module) {
		addFunction(m, none, 0)
		addFunctions(m, 98_900, m.Code[len(m.Code)-1])
	}},
	{"a data segment of 100 MB", "bytes, and the limit is", func(m *wasm.Module) {
		m.Data = append(m.Data, wasm.Data{Mode: wasm.Passive, Init: make([]byte, 100_000_000)})
	}},
	{"a custom section of 100 MB", "bytes, and the limit is", func(m *wasm.Module) {
		m.Customs = append(m.Customs, wasm.Custom{Name: "x", Content: make([]byte, 100_000_000)})
	}},
	{"ten thousand custom sections", "custom sections", func(m *wasm.Module) {
		for range 10_001 {
			m.Customs = append(m.Customs, wasm.Custom{Name: "x"})
		}
	}},
	{"two million data segments", "data segments, more than 1000000", func(m *wasm.Module) {
		m.Data = append(m.Data, make([]wasm.Data, 2_000_000)...)
	}},
	{"a million data segments", "", func(m *wasm.Module) {
		for range 990_000 {
			m.Data = append(m.Data, wasm.Data{Mode: wasm.Passive})
		}
	}},
	{"a million imports that are not offered", "and 999", func(m *wasm.Module) {
		bad := m.Imports[0]
		bad.Module = strings.Repeat("x", 9)
		for range 999_900 {
			m.Imports = append(m.Imports, bad)
		}
	}},
	{"a long name exported twice", "is exported twice", func(m *wasm.Module) {
		e := wasm.Export{Name: strings.Repeat("x\n", 1<<20), Kind: wasm.KindMemory}
		m.Exports = append(m.Exports, e, e)
	}},
	{"60,000 locals", "has 60000 locals", func(m *wasm.Module) { addFunction(m, none, 60_000) }},
	{"50,000 locals in each of 10,000 functions", "locals together", func(m *wasm.Module) {
		addFunction(m, none, 50_000)
		addFunctions(m, 10_000, m.Code[len(m.Code)-1])
	}},
	{"10,000 parameters in each of 1,000 functions", "10000 parameters", func(m *wasm.Module) {
		addFunction(m, wasm.FuncType{Params: i64s(10_000)}, 0)
		addFunctions(m, 1000, m.Code[len(m.Code)-1])
	}},
	{"a branch table of a million targets", "branch targets, and the limit is", func(m *wasm.Module) {
		addFunction(m, none, 0, brTable(1_000_000))
	}},
	{"a branch table of 15,000 targets", "", func(m *wasm.Module) { addFunction(m, none, 0, brTable(15_000)) }},
	{"a branch table whose targets take 1,000 values", "1000 results", func(m *wasm.Module) {
		m.Types = append(m.Types, wasm.FuncType{Results: i64s(1000)})
		block := wasm.AppendS64([]byte{0x02}, int64(len(m.Types)-1))
		addFunction(m, none, 0, block, repeat(1000, 0x42, 0), brTable(10_000), []byte{0x0b}, repeat(1000, 0x1a))
	}},
	{"20,000 ifs", "blocks and branch targets", func(m *wasm.Module) { addFunction(m, none, 0, repeat(20_000, testIf...)) }},
	{"20,000 nested blocks", "nested more than", func(m *wasm.Module) {
		addFunction(m, none, 0, repeat(20_000, 0x02, 0x40), repeat(20_000, 0x0b))
	}},
	{"20,000 loops", "blocks and branch targets", func(m *wasm.Module) { addFunction(m, none, 0, repeat(20_000, testLoop...)) }},
	{"1,000 loops", "", func(m *wasm.Module) { addFunction(m, none, 0, repeat(1000, testLoop...)) }},
	{"9,000 nested loops", "loops, and the limit is", func(m *wasm.Module) {
		addFunction(m, none, 0, repeat(9000, 0x03, 0x40), repeat(9000, 0x0b))
	}},
	{"500 nested loops", "loops 500 deep", func(m *wasm.Module) {
		addFunction(m, none, 0, repeat(500, 0x03, 0x40), repeat(500, 0x0b))
	}},
	{"2,000 locals in 150 nested loops", "the limit of their product", func(m *wasm.Module) {
		addFunction(m, none, 2000, repeat(150, 0x03, 0x40), locals(2000), repeat(150, 0x41, 0, 0x0d, 0, 0x0b))
	}},
	{"500 locals in 100 nested loops", "", func(m *wasm.Module) {
		addFunction(m, none, 500, repeat(100, 0x03, 0x40), locals(500), repeat(100, 0x41, 0, 0x0d, 0, 0x0b))
	}},
	{"200,000 operands", "", func(m *wasm.Module) { addFunction(m, none, 0, repeat(200_000, 0x41, 0), repeat(200_000, 0x1a)) }},
	{"a name section that lies about its length", "", nameSection(
		0, 8, 0, 1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f, // to the engine: a module's name, and 4 billion functions' names
		0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
	{"a name section of 4 billion names", "", nameSection(1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f)},
}

func TestBombs(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	for _, b := range bombs {
		t.Run(b.name, func(t *testing.T) {
			file, memory := edit(t, b.change), watchMemory(t)
			if b.refused != "" {
				refused(t, engine, file, b.refused)
			} else {
				load(t, engine, file, plugin.Settings{Limits: plugin.Limits{Module: plugin.ModuleLimits{CompileTime: 20 * time.Second}}})
			}
			memory.look()
		})
	}
}

// Integers that are longer than they may be, or than they need, gain nothing.
func TestHostileIntegers(t *testing.T) {
	marker := []byte("\x00asm\x01\x00\x00\x00")
	for name, c := range map[string]struct{ section, want string }{
		"a size of six bytes":        {"\x01\x81\x80\x80\x80\x80\x00\x00", "more than 32 bits"},
		"a size of 4 GiB":            {"\x01\xff\xff\xff\xff\x0f", "are declared"},
		"4 billion types":            {"\x01\x05\xff\xff\xff\xff\x0f", "are declared"},
		"a count that never ends":    {"\x01\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", "more than 32 bits"},
		"a count of five bytes":      {"\x01\x05\x80\x80\x80\x80\x00", "is missing"}, // which is well formed
		"a name longer than its end": {"\x00\x02\x7fx", "are declared"},
	} {
		err := plugin.Verify("p", append(marker[:8:8], c.section...), plugin.Requirements{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// named is the puppet whose function $inner, which cmdTrapNamed traps in, has a
// name of the module's choice.
func named(t *testing.T, name string) []byte {
	return edit(t, func(m *wasm.Module) {
		var names []byte
		functions := uint32(len(m.Functions)) + m.Imported(wasm.KindFunc)
		names = wasm.AppendU32(names, functions)
		for i := range functions {
			names = append(wasm.AppendU32(wasm.AppendU32(names, i), uint32(len(name))), name...)
		}
		m.Customs = []wasm.Custom{{Name: "name", After: 11, Content: append(wasm.AppendU32([]byte{1}, uint32(len(names))), names...)}}
	})
}

// The names of functions, which a trap's reason repeats, cannot forge one, nor
// make it long.
func TestHostileNames(t *testing.T) {
	for what, name := range map[string]string{
		"terminal sequences": "\x1b[2J\x1b]0;owned\x07\u202e",
		"line breaks":        "x\n\ntime=now level=ERROR msg=forged\n\t.y(",
		"the meter's own":    "relay_meter.refill",
		"a trace":            "\nwasm stack trace:\n\t.x()",
		"a megabyte":         strings.Repeat("é", 1<<19),
		"cut within a rune":  "x" + strings.Repeat("é", 1<<10),
	} {
		t.Run(what, func(t *testing.T) {
			slot, _ := start(t, named(t, name))
			got := slot.HandleMessage(order(cmdTrapNamed))
			if got.Kind != message.Trap || !strings.HasPrefix(got.Reason, "wasm error: integer divide by zero") {
				t.Errorf("got %v %.300q", got.Kind, got.Reason)
			}
			clean(t, got.Reason, 2048)
		})
	}
}

// teardown may not keep a slot from being closed.
func TestHostileTeardown(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	for name, want := range map[string]string{
		"teardown_spins": abi.ExportTeardown + ": the deadline has passed",
		"teardown_exits": abi.ExportTeardown + ": the plugin called proc_exit(0)",
	} {
		slot, err := load(t, engine, hostileModule(t, name), plugin.Settings{Limits: hostileLimits}).NewSlot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := slot.Close(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
