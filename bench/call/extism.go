package call

import (
	"context"
	"time"

	extism "github.com/extism/go-sdk"

	"github.com/relayhost/relayhost/abi"
)

// deadline is what a call may take, as relayhost has it by default.
const deadline = 5 * time.Second

// fuel is what it may use, by default.
const fuel = 50_000_000_000

// Extism is Extism's Go SDK, in its quickest form, without a timeout: that one
// would add wazero's own interruption. The plugin gets the same frame and returns
// the same.
func Extism(ctx context.Context, name string, module []byte) (Side, error) {
	manifest := extism.Manifest{Wasm: []extism.Wasm{extism.WasmData{Data: module}}}
	plugin, err := extism.NewPlugin(ctx, manifest, extism.PluginConfig{}, nil)
	if err != nil {
		return Side{}, err
	}
	input := frame()
	return Side{
		Name: name,
		Call: func() {
			_, output, err := plugin.Call("handle_message", input)
			if err != nil {
				panic(err)
			}
			answer(output)
		},
		Close: func() error { return plugin.Close(ctx) },
	}, nil
}

// answer checks an output frame.
func answer(output []byte) {
	r, err := abi.ParseMessageResult(output)
	if err != nil {
		panic(err)
	}
	result(r.Data)
}
