package plugin_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/plugin/wasm"
	"github.com/relayhost/relayhost/plugins"
)

func inspect(t testing.TB, file []byte, s plugin.Settings) *plugin.Inspection {
	t.Helper()
	found, err := plugin.Inspect(file, s)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestInspect(t *testing.T) {
	file := edit(t, func(m *wasm.Module) {
		m.Tables = []wasm.TableType{{Type: wasm.FuncRef, Limits: wasm.Limits{Min: 3, Max: 9, HasMax: true}}}
		m.Memories[0] = wasm.Limits{Min: 1, Max: 2, HasMax: true}
		m.Exports = []wasm.Export{
			{Name: abi.ExportMemory, Kind: wasm.KindMemory}, {Name: abi.ExportHandleMessage, Index: 999},
			{Name: abi.ExportTeardown, Kind: wasm.KindMemory}, {Name: "extra", Index: 0}, {Name: "t", Kind: wasm.KindTable},
		}
		m.Imports = m.Imports[:1]
		m.Functions, m.Code = nil, nil
		m.Data = []wasm.Data{{Mode: wasm.Passive, Init: []byte("12345")}}
		m.Elements = nil
		m.Customs = []wasm.Custom{
			{Name: "producers", Content: []byte("\x02\x08language\x01\x02Go\x04go1.\x03sdk\x02\x01a\x00\x01b\x01")}, // cut off
			{Name: "a\nb", Content: []byte("x")},
		}
	})
	got := inspect(t, file, plugin.Settings{}).Module
	two, bytes, nine := uint64(2), uint64(2<<16), uint64(9)
	want := &plugin.Content{
		Handlers: []string{abi.ExportHandleMessage},
		Exports: plugin.Listed[plugin.Extern]{Total: 2, Items: []plugin.Extern{
			{Name: "extra", Kind: "function", Type: "(i32, i32, i32) -> ()"}, {Name: "t", Kind: "table"},
		}},
		Imports: plugin.Listed[plugin.Extern]{Total: 1, Items: []plugin.Extern{
			{Module: "relay_v1", Name: "log", Kind: "function", Type: "(i32, i32, i32) -> ()"},
		}},
		Memories: plugin.Listed[plugin.MemorySize]{Total: 1, Items: []plugin.MemorySize{
			{MinPages: 1, MinBytes: 1 << 16, MaxPages: &two, MaxBytes: &bytes},
		}},
		Tables:    plugin.Listed[plugin.TableSize]{Total: 1, Items: []plugin.TableSize{{Type: "funcref", Min: 3, Max: &nine}}},
		Data:      5,
		Globals:   got.Globals,
		Producers: []plugin.Producer{{Field: "language", Name: "Go", Version: "go1."}, {Field: "sdk", Name: "a"}},
		Sections:  plugin.Listed[plugin.Section]{Total: 2, Items: []plugin.Section{{Name: "producers", Bytes: 30}, {Name: `a\nb`, Bytes: 1}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestInspectAPlugin(t *testing.T) {
	found := inspect(t, plugins.Upcase, plugin.Settings{NeedBatch: true})
	m := found.Module
	if len(found.Problems) > 0 || found.Hint != "" || found.Digest != "sha256:"+plugin.Digest(plugins.Upcase) || found.Bytes != len(plugins.Upcase) {
		t.Errorf("got %v, %s, %s, %d bytes", found.Problems, found.Hint, found.Digest, found.Bytes)
	}
	if m.ABI != 1 || !slices.Contains(m.Handlers, abi.ExportHandleBatch) || m.Functions < 100 || m.Code < m.LargestFunction || m.LargestFunction == 0 {
		t.Errorf("got %+v", m)
	}
}

// What is refused by Load without being compiled is a problem here, and what
// can be read is shown nevertheless.
func TestInspectRefused(t *testing.T) {
	for _, c := range []struct {
		name, problem, hint string
		file                []byte
		settings            plugin.Settings
		read                bool
	}{
		{name: "no module", problem: "not a WebAssembly module", file: []byte("hello")},
		{name: "a component", problem: "component", hint: "build a core module", file: []byte("\x00asm\x0d\x00\x01\x00")},
		{name: "no handler", problem: "export handle_message is missing", file: puppet(t, abi.ExportHandleMessage, ""), read: true},
		{name: "no batch handler", problem: "export handle_batch is missing", read: true,
			file: puppet(t, abi.ExportHandleBatch, ""), settings: plugin.Settings{NeedBatch: true}},
		{name: "a limit", problem: "functions, and the limit is 3", read: true,
			file: module(t, "puppet"), settings: plugin.Settings{Limits: plugin.Limits{Module: plugin.ModuleLimits{Functions: 3}}}},
		{name: "a limit that the meter holds", problem: "it cannot be metered: ", read: true,
			file: module(t, "puppet"), settings: plugin.Settings{Limits: plugin.Limits{Module: plugin.ModuleLimits{FunctionSize: 3}}}},
		{name: "the meter's name", problem: "it cannot be metered: ", file: puppet(t, "x_trap", "relay_meter_fuel"), read: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := inspect(t, c.file, c.settings)
			if len(found.Problems) != 1 || !strings.Contains(found.Problems[0], c.problem) || !strings.Contains(found.Hint, c.hint) {
				t.Errorf("got %q, hint %q", found.Problems, found.Hint)
			}
			if (found.Module != nil) != c.read {
				t.Errorf("the module is %+v", found.Module)
			}
		})
	}
}

// A module that is large in every way makes a short inspection, in which
// nothing of its own is unescaped.
func TestInspectionIsBounded(t *testing.T) {
	long := strings.Repeat("\x1b[31m\u202e", 50)
	file := edit(t, func(m *wasm.Module) {
		m.Types = append(m.Types, wasm.FuncType{Params: slices.Repeat([]wasm.ValueType{wasm.I32}, 900)})
		for i := range 1000 {
			name := fmt.Sprint(i, long)
			m.Imports = append(m.Imports, wasm.Import{Module: long, Name: name, Func: uint32(len(m.Types) - 1)})
			m.Exports = append(m.Exports, wasm.Export{Name: name, Index: uint32(len(m.Imports) - 1)})
			m.Memories = append(m.Memories, wasm.Limits{Min: 1 << 60, Is64: true})
			m.Tables = append(m.Tables, wasm.TableType{Type: wasm.ExternRef})
		}
		for range 400 {
			m.Customs = append(m.Customs, wasm.Custom{Name: long}, wasm.Custom{
				Name: "producers", Content: append([]byte{1, 1, 'f', 0xff, 0xff, 0x3f}, make([]byte, 1000)...),
			})
		}
	})
	found := inspect(t, file, plugin.Settings{})
	text, err := json.Marshal(found)
	if err != nil {
		t.Fatal(err)
	}
	if m := found.Module; m.Exports.Total < 1000 || len(m.Exports.Items) > 200 || m.Memories.Items[1].MinBytes != 1<<64-1 {
		t.Errorf("%d exports are listed, of %d", len(m.Exports.Items), m.Exports.Total)
	}
	if len(text) > 400_000 {
		t.Errorf("the inspection of %d bytes has %d", len(file), len(text))
	}
	if strings.ContainsAny(fmt.Sprintf("%+v", *found.Module), "\x1b\u202e\n") {
		t.Error("text of the module is not escaped")
	}
}

func TestInspectLimits(t *testing.T) {
	limits := plugin.Limits{MemoryPages: 10}
	limits.Message.Fuel = 77
	values := make(map[string]plugin.LimitValue)
	for _, v := range inspect(t, nil, plugin.Settings{Limits: limits}).Limits {
		if v.Value == 0 || v.Unit == "" || values[v.Name] != (plugin.LimitValue{}) {
			t.Errorf("limit %+v", v)
		}
		values[v.Name] = v
	}
	for _, want := range []plugin.LimitValue{
		{Name: "message_fuel", Value: 77, Unit: "fuel"}, {Name: "message_deadline", Value: 5_000_000, Unit: "us"},
		{Name: "memory", Value: 655_360, Unit: "bytes"},
	} {
		if values[want.Name] != want {
			t.Errorf("got %+v, want %+v", values[want.Name], want)
		}
	}
}

// Inspect takes any bytes.
func FuzzInspect(f *testing.F) {
	f.Add(module(f, "puppet"))
	f.Add(module(f, "world"))
	f.Fuzz(func(t *testing.T, file []byte) {
		found := inspect(t, file, plugin.Settings{})
		if found.Module == nil && len(found.Problems) == 0 {
			t.Error("nothing can be read, and there is no problem")
		}
	})
}
