package plugin_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// Each fault of a module is one sentence, before anything of it runs.
func TestRefusals(t *testing.T) {
	i32 := wasm.I32
	function := func(m *wasm.Module, typ wasm.FuncType) uint32 {
		m.Types = append(m.Types, typ)
		return uint32(len(m.Types) - 1)
	}
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"empty", "not a WebAssembly module", nil},
		{"text", "not a WebAssembly module", []byte("#!/bin/sh\necho hello\n")},
		{"a component", "component", []byte("\x00asm\x0d\x00\x01\x00")},
		{"another version", "version", []byte("\x00asm\x02\x00\x00\x00")},
		{"no marker", "export relay_abi_v1 is missing", puppet(t, abi.ExportMarker, "")},
		{"no handler", "export handle_message is missing, want a function of type (i32, i32) -> i64", puppet(t, abi.ExportHandleMessage, "")},
		{"no batch handler", "export handle_batch is missing", puppet(t, abi.ExportHandleBatch, "")},
		{"no buffer", "export relay_buffer is missing", puppet(t, abi.ExportBuffer, "")},
		{"no memory", "export memory is missing", puppet(t, abi.ExportMemory, "")},
		{"a mistyped handler", "export handle_message has type (i32) -> i32, want (i32, i32) -> i64", puppet(t, "x_buffer_zero", abi.ExportHandleMessage)},
		{"a mistyped marker", "export relay_abi_v1 has type (i32) -> i32, want () -> ()", puppet(t, "x_buffer_zero", abi.ExportMarker)},
		{"a mistyped teardown", "export teardown has type", puppet(t, "x_buffer_zero", abi.ExportTeardown)},
		{"a handler that is a memory", "export handle_message is a memory", puppet(t, abi.ExportMemory, abi.ExportHandleMessage)},
		{"a foreign import", `import "env"."abort" is not offered`, edit(t, func(m *wasm.Module) {
			m.Imports[0].Module, m.Imports[0].Name = "env", "abort"
		})},
		{"a lookalike import", `import "relay_v1"."log2" is not offered`, edit(t, func(m *wasm.Module) { m.Imports[0].Name = "log2" })},
		{"an unknown WASI function", `import "wasi_snapshot_preview1"."fly" is not offered`, edit(t, func(m *wasm.Module) {
			m.Imports[1].Name = "fly"
		})},
		{"a mistyped import", `import "relay_v1"."log" has type (i32) -> (), want (i32, i32, i32) -> ()`, edit(t, func(m *wasm.Module) {
			m.Imports[0].Func = function(m, wasm.FuncType{Params: []wasm.ValueType{i32}})
		})},
		{"an imported memory", `import "env"."memory" is a memory, only functions may be imported`, edit(t, func(m *wasm.Module) {
			m.Imports = append(m.Imports, wasm.Import{Module: "env", Name: "memory", Kind: wasm.KindMemory, Memory: m.Memories[0]})
			m.Memories = nil
		})},
		{"two memories", "the module has 2 memories, want 1", edit(t, func(m *wasm.Module) {
			m.Memories = append(m.Memories, m.Memories[0])
		})},
		{"a 64-bit memory", "the memory is 64-bit", edit(t, func(m *wasm.Module) { m.Memories[0].Is64 = true })},
		{"a shared memory", "the memory is shared", edit(t, func(m *wasm.Module) {
			m.Memories[0] = wasm.Limits{Min: 1, Max: 2, HasMax: true, Shared: true}
		})},
		{"a memory above the limit", "the memory begins with 5000 pages of 64 KiB, and the limit is 4096", edit(t, func(m *wasm.Module) {
			m.Memories[0].Min = 5000
		})},
		{"code that does not validate", "it does not compile", edit(t, func(m *wasm.Module) {
			m.Code[0].Body = []byte{0x6a, 0x0b} // i32.add of nothing
		})},
		{"a start that traps", "failed: wasm error: unreachable", edit(t, func(m *wasm.Module) {
			e, _ := m.Export("x_trap")
			m.Start = &e.Index
		})},
		{"a start that exits", "start: the plugin called proc_exit(0)", edit(t, func(m *wasm.Module) {
			e, _ := m.Export("x_exit")
			m.Start = &e.Index
		})},
		{"data that does not fit", "start: ", edit(t, func(m *wasm.Module) {
			m.Data = append(m.Data, wasm.Data{Offset: wasm.Expr{0x41, 0x7f, 0x0b}, Init: []byte("x")}) // at -1
		})},
		{"an initialize that traps", "_initialize: wasm error: unreachable", puppet(t, "x_trap", abi.ExportInitialize)},
		{"an initialize that exits", "_initialize: the plugin called proc_exit(0)", puppet(t, "x_exit", abi.ExportInitialize)},
		{"a configure that traps", "configure: wasm error: unreachable", puppet(t, "x_configure_trap", abi.ExportConfigure)},
		{"a configure that refuses", "configure: nope", puppet(t, "x_configure_refuse", abi.ExportConfigure)},
	} {
		t.Run(c.name, func(t *testing.T) {
			engine, _ := open(t, plugin.Options{})
			p, err := engine.Load(t.Context(), "p.wasm", c.file, plugin.Settings{Pipeline: "test", NeedBatch: true})
			var refusal *plugin.Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("got %v, %v, want a refusal", p, err)
			}
			if !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "plugin p.wasm refused: ") {
				t.Errorf("got %q, want %q", err, c.want)
			}
			if refusal.Digest != plugin.Digest(c.file) {
				t.Errorf("digest %s", refusal.Digest)
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	err := plugin.Verify("p.wasm", puppet(t, abi.ExportMarker, "", abi.ExportBuffer, "", abi.ExportHandleBatch, ""), plugin.Requirements{})
	var refusal *plugin.Refusal
	if !errors.As(err, &refusal) || len(refusal.Problems) != 2 {
		t.Errorf("got %v", err)
	}
}

// A refusal is bounded, and what a module puts into it cannot forge a line.
func TestRefusalIsBounded(t *testing.T) {
	err := plugin.Verify("p.wasm", edit(t, func(m *wasm.Module) {
		hostile := m.Imports[0]
		hostile.Module, hostile.Name = "env\nhint: trust me\x1b[2J", strings.Repeat("x", 1<<10)
		for range 1000 {
			m.Imports = append(m.Imports, hostile)
		}
	}), plugin.Requirements{})
	if err == nil || len(err.Error()) > 10_000 || !strings.Contains(err.Error(), "more\nhint: ") {
		t.Fatalf("%.10000v", err)
	}
	if strings.Contains(err.Error(), "\nhint: trust") || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("forged: %v", err)
	}
}

// A half-written file is refused wherever it was cut, unless what is left is a
// whole module: that is so only where the last section, the data, begins.
func TestTruncated(t *testing.T) {
	file := module(t, "puppet")
	whole := edit(t, func(m *wasm.Module) { m.Data, m.Customs = nil, nil })
	for n := range file {
		err := plugin.Verify("p.wasm", file[:n], plugin.Requirements{Batch: true})
		if err == nil && n != len(whole) {
			t.Errorf("cut at %d of %d: accepted", n, len(file))
		}
	}
}

func TestOptionalExports(t *testing.T) {
	start(t, puppet(t, "x_nothing", abi.ExportInitialize))
	engine, _ := open(t, plugin.Options{})
	load(t, engine, puppet(t, abi.ExportHandleBatch, ""), plugin.Settings{Pipeline: "no batchers"})
}

func TestCommandGetsAHint(t *testing.T) {
	err := plugin.Verify("p.wasm", puppet(t, abi.ExportMarker, "", "x_nothing", "_start"), plugin.Requirements{})
	if err == nil || !strings.Contains(err.Error(), "hint: the module is a WASI command") {
		t.Errorf("got %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	for _, name := range []string{"puppet", "spec"} {
		file, err := os.ReadFile("testdata/" + name + ".wasm")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		err := plugin.Verify("p.wasm", file, plugin.Requirements{Batch: true})
		var refusal *plugin.Refusal
		if err != nil && !errors.As(err, &refusal) {
			t.Errorf("not a refusal: %v", err)
		}
	})
}
