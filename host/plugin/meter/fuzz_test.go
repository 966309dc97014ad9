package meter_test

import (
	"os"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/relayhost/relayhost/host/plugin/meter"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// FuzzRewrite: no bytes make Rewrite panic, and of what it accepts the engine
// compiles the metered form exactly if it compiles the original: so nothing that
// is added can be reached by code that is not valid without it.
func FuzzRewrite(f *testing.F) {
	for _, name := range []string{"testdata/shapes.wasm", "../testdata/puppet.wasm", "../testdata/spec.wasm"} {
		file, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	runtime := wazero.NewRuntimeWithConfig(f.Context(), wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features))
	f.Cleanup(func() { _ = runtime.Close(f.Context()) })
	compiles := func(t *testing.T, file []byte) bool {
		code, err := runtime.CompileModule(t.Context(), file)
		if err == nil {
			_ = code.Close(t.Context())
		}
		return err == nil
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		metered, err := meter.Rewrite(file, meter.Limits{})
		if err != nil {
			return
		}
		// A broken name section is dropped, and no reason to refuse a module.
		m, err := wasm.Decode(file)
		if err != nil {
			t.Fatal(err)
		}
		m.Customs = nil
		if plain, with := compiles(t, m.Encode()), compiles(t, metered); plain != with {
			t.Errorf("the original compiles: %v, its metered form: %v", plain, with)
		}
	})
}
