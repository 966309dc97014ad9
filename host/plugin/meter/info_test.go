package meter_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero/api"

	"github.com/relayhost/relayhost/host/plugin/meter"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

func TestInspect(t *testing.T) {
	body := func(ops ...byte) *wasm.Module {
		return &wasm.Module{
			Types: []wasm.FuncType{{}}, Functions: []uint32{0},
			Code: []wasm.Code{{Body: append(ops, 0x0b)}},
		}
	}
	global := func(t wasm.ValueType, mutable bool, init ...byte) *wasm.Module {
		return &wasm.Module{Globals: []wasm.Global{{Type: wasm.GlobalType{Type: t, Mutable: mutable}, Init: append(init, 0x0b)}}}
	}
	imports := func(i wasm.Import) *wasm.Module {
		i.Module, i.Name = "env", "x"
		return &wasm.Module{Types: []wasm.FuncType{{}}, Imports: []wasm.Import{i}}
	}
	for name, test := range map[string]struct {
		module  *wasm.Module
		globals int
		why     string
	}{
		"nothing":        {body(), 0, ""},
		"memory.init":    {body(0xfc, 8, 0, 0), 0, ""},
		"data.drop":      {body(0xfc, 9, 0), 0, "function 0 has data.drop"},
		"elem.drop":      {body(0xfc, 13, 0), 0, "function 0 has elem.drop"},
		"table.set":      {body(0x01, 0x26, 0), 0, "function 0 has table.set"},
		"table.get":      {body(0x25, 0), 0, ""},
		"table.init":     {body(0xfc, 12, 0, 0), 0, "function 0 has table.init"},
		"table.copy":     {body(0xfc, 14, 0, 0), 0, "function 0 has table.copy"},
		"table.grow":     {body(0xfc, 15, 0), 0, "function 0 has table.grow"},
		"table.size":     {body(0xfc, 16, 0), 0, ""},
		"table.fill":     {body(0xfc, 17, 0), 0, "function 0 has table.fill"},
		"a constant":     {global(wasm.I32, false, 0x41, 0), 0, ""},
		"a number":       {global(wasm.I32, true, 0x41, 0), 1, ""},
		"a vector":       {global(wasm.V128, true, append([]byte{0xfd, 12}, make([]byte, 16)...)...), 0, "its global 0 is a mutable v128"},
		"a reference":    {global(wasm.FuncRef, true, 0xd0, 0x70), 0, "its global 0 is a mutable funcref"},
		"its memory":     {imports(wasm.Import{Kind: wasm.KindMemory}), 0, "it imports the memory"},
		"its table":      {imports(wasm.Import{Kind: wasm.KindTable, Table: wasm.TableType{Type: wasm.FuncRef}}), 0, "it imports the table"},
		"others' global": {imports(wasm.Import{Kind: wasm.KindGlobal, Global: wasm.GlobalType{Type: wasm.I32, Mutable: true}}), 0, "it imports the global"},
		"others' number": {imports(wasm.Import{Kind: wasm.KindGlobal, Global: wasm.GlobalType{Type: wasm.I32}}), 0, ""},
		"others' work":   {imports(wasm.Import{Kind: wasm.KindFunc}), 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			info, err := meter.Inspect(test.module.Encode())
			if err != nil || info.Globals != test.globals || !strings.HasPrefix(info.Why, test.why) || info.Restorable() != (test.why == "") {
				t.Errorf("Inspect = %+v, %v, want %d globals, %q", info, err, test.globals, test.why)
			}
		})
	}
}

// Whoever sets what is exported has the instance as it was.
func TestExportGlobals(t *testing.T) {
	file := wasmFile(t, "globals")
	info, err := meter.Inspect(file)
	if err != nil || info.Globals != 4 || !info.Restorable() {
		t.Fatalf("Inspect = %+v, %v", info, err)
	}
	metered, err := meter.Rewrite(file, meter.Limits{ExportGlobals: true})
	if err != nil {
		t.Fatal(err)
	}
	g := instantiate(t, metered, 0)
	state := g.globals(t, info.Globals)
	read := func() uint64 {
		results, _, err := g.call("read")
		if err != nil {
			t.Fatal(err)
		}
		return results[0]
	}
	before := read()
	if _, _, err := g.call("change"); err != nil {
		t.Fatal(err)
	}
	if after := read(); after == before {
		t.Fatalf("change changes nothing: %d", after)
	}
	for global, value := range state {
		global.Set(value)
	}
	if after := read(); after != before {
		t.Errorf("after the globals are set back, read = %d, want %d", after, before)
	}
	if hidden := instantiate(t, rewrite(t, file), 0).ExportedGlobal(meter.ExportGlobal + "0"); hidden != nil {
		t.Errorf("globals are exported unasked")
	}
}

// globals are the values of those that the meter exports.
func (g *guest) globals(t *testing.T, n int) map[api.MutableGlobal]uint64 {
	t.Helper()
	values := map[api.MutableGlobal]uint64{}
	var names []string
	for i := range n {
		names = append(names, meter.ExportGlobal+strconv.Itoa(i))
	}
	for _, name := range names {
		global, ok := g.ExportedGlobal(name).(api.MutableGlobal)
		if !ok {
			t.Fatalf("%s is not there", name)
		}
		values[global] = global.Get()
	}
	return values
}
