package meter_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/plugin/meter"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// A function that is just as large as may be is metered, one beyond is refused.
func TestFunctionLimits(t *testing.T) {
	function := func(locals uint32, body []byte) []byte {
		m := wasm.Module{
			Types: []wasm.FuncType{{Params: []wasm.ValueType{wasm.I32}}}, Functions: []uint32{0},
			Code: []wasm.Code{{Locals: []wasm.Locals{{Count: locals, Type: wasm.I64}}, Body: body}},
		}
		return m.Encode()
	}
	nested := func(n int) []byte {
		return append(slices.Repeat([]byte{0x02, 0x40}, n), slices.Repeat([]byte{0x0b}, n+1)...)
	}
	nops := func(n int) []byte { return append(slices.Repeat([]byte{0x01}, n-1), 0x0b) }
	limits := meter.Limits{Nesting: 7, Locals: 9, FunctionSize: 100}
	for name, test := range map[string]struct{ most, beyond []byte }{
		"nested more than 7 deep": {function(0, nested(7)), function(0, nested(8))},
		"10 locals":               {function(8, nops(1)), function(9, nops(1))},
		"101 bytes":               {function(0, nops(100)), function(0, nops(101))},
	} {
		if _, err := meter.Rewrite(test.most, limits); err != nil {
			t.Errorf("%s: at the limit: %v", name, err)
		}
		_, err := meter.Rewrite(test.beyond, limits)
		if !errors.Is(err, meter.ErrRefused) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "function 0") {
			t.Errorf("beyond the limit: %v, want %q", err, name)
		}
	}
}
