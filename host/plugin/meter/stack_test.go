package meter_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/relayhost/relayhost/host/plugin/meter"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// recursive is a module whose function calls itself for ever, or as often as
// its parameter says: before and behind stand around the call.
func recursive(t *testing.T, locals []wasm.Locals, before, behind []byte) []byte {
	t.Helper()
	i32 := []wasm.ValueType{wasm.I32}
	m := wasm.Module{
		Types:     []wasm.FuncType{{Params: i32, Results: i32}},
		Functions: []uint32{0},
		Memories:  []wasm.Limits{{Min: 1}},
		Exports:   []wasm.Export{{Name: "recurse", Kind: wasm.KindFunc}},
	}
	body := slices.Concat(
		[]byte{0x20, 0, 0x45, 0x04, 0x40, 0x41, 0, 0x0f, 0x0b}, // if n == 0: return 0
		before,
		[]byte{0x20, 0, 0x41, 1, 0x6b, 0x10, 0}, // recurse(n - 1)
		behind,
		[]byte{0x0b})
	m.Code = []wasm.Code{{Locals: locals, Body: body}}
	return m.Encode()
}

// What a function keeps while it calls itself, however much that is, counts as
// its frame: recursion ends long before the engine's own stack does.
func TestFatFrames(t *testing.T) {
	const kept = 1000
	load := []byte{0x20, 1, 0x28, 2, 0}                      // i32.load
	vector := []byte{0x20, 1, 0xfd, 0, 4, 0}                 // v128.load
	inBlock := []byte{0x02, 0x7f, 0x20, 1, 0x28, 2, 0, 0x0b} // a block with a value
	zero := []wasm.Locals{{Count: 1, Type: wasm.I32}}        // an address
	for name, file := range map[string][]byte{
		"numbers": recursive(t, zero, bytes.Repeat(load, kept), bytes.Repeat([]byte{0x6a}, kept)),
		"blocks":  recursive(t, zero, bytes.Repeat(inBlock, kept), bytes.Repeat([]byte{0x6a}, kept)),
		"vectors": recursive(t, zero, bytes.Repeat(vector, kept),
			slices.Concat([]byte{0x21, 1}, bytes.Repeat([]byte{0xfd, 0x1b, 0, 0x20, 1, 0x6a, 0x21, 1}, kept), []byte{0x20, 1})),
		"locals": recursive(t, []wasm.Locals{{Count: kept, Type: wasm.I64}}, nil, nil),
	} {
		t.Run(name, func(t *testing.T) {
			g := instantiate(t, rewrite(t, file), 0)
			if _, _, err := g.call("recurse", 1_000_000_000); !errors.Is(err, meter.ErrStack) {
				t.Errorf("got %v", err)
			}
			if got := g.gauge.Stack(); got < 4<<20 || got > 5<<20 {
				t.Errorf("it had %d bytes of stack", got)
			}
			if got, _, err := g.call("recurse", 100); err != nil || len(got) != 1 {
				t.Errorf("a hundred deep: %v, %v", got, err)
			}
			if got := g.gauge.Stack(); got != 0 {
				t.Errorf("after a call that returned, %d bytes of stack are taken", got)
			}
		})
	}
}

// Ordinary recursion has room for 10,000 calls.
func TestDeepRecursion(t *testing.T) {
	g := instantiate(t, rewrite(t, recursive(t, nil, []byte{0x20, 0}, []byte{0x6a})), 0)
	if got, _, err := g.call("recurse", 10_000); err != nil || got[0] != 50_005_000 {
		t.Errorf("got %v, %v", got, err)
	}
}
