package plugin

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

var errLogRange = errors.New("the text of relay_v1.log does not lie in the memory")

var logType = wasm.FuncType{Params: []wasm.ValueType{wasm.I32, wasm.I32, wasm.I32}}

// defineImports gives a runtime what a plugin may import.
func defineImports(ctx context.Context, runtime wazero.Runtime) error {
	_, err := runtime.NewHostModuleBuilder(abi.ImportModule).
		NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(hostLog), apiTypes(logType.Params), nil).
		Export(abi.ImportLog).
		Instantiate(ctx)
	if err != nil {
		return err
	}
	wasi := runtime.NewHostModuleBuilder(abi.ImportWASI)
	wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(wasi)
	for name, typ := range fixedStreams {
		wasi.NewFunctionBuilder().WithGoFunction(api.GoFunc(notSupported), apiTypes(typ.Params), apiTypes(typ.Results)).Export(name)
	}
	_, err = wasi.Instantiate(experimental.WithFunctionListenerFactory(ctx, bounded{}))
	return err
}

// fixedStreams are the functions of WASI that would change the standard
// streams: nothing does, so that no message can leave the next one without
// them, nor leave it a sign.
var fixedStreams = map[string]wasm.FuncType{
	"fd_close":            {Params: i32s(1), Results: i32s(1)},
	"fd_renumber":         {Params: i32s(2), Results: i32s(1)},
	"fd_fdstat_set_flags": {Params: i32s(2), Results: i32s(1)},
	"fd_filestat_set_times": {
		Params: []wasm.ValueType{wasm.I32, wasm.I64, wasm.I64, wasm.I32}, Results: i32s(1),
	},
}

// notSupported answers ENOTSUP.
func notSupported(_ context.Context, stack []uint64) { stack[0] = 58 }

// hostLog is relay_v1.log(level, ptr, len). Its panic becomes a trap.
func hostLog(ctx context.Context, module api.Module, stack []uint64) {
	text, ok := module.Memory().Read(api.DecodeU32(stack[1]), api.DecodeU32(stack[2]))
	if !ok {
		panic(errLogRange)
	}
	if log, ok := ctx.Value(guestLogKey{}).(*guestLog); ok {
		log.gauge.Charge(logCost)
		log.line(slogLevel(api.DecodeI32(stack[0])), abi.ImportLog, text)
	}
}

// wasiTypes has the type of every WASI function that wazero offers.
var wasiTypes = sync.OnceValues(func() (map[string]wasm.FuncType, error) {
	ctx := context.Background()
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer runtime.Close(ctx) //nolint:errcheck // nothing runs in it
	module, err := wasi_snapshot_preview1.NewBuilder(runtime).Compile(ctx)
	if err != nil {
		return nil, fmt.Errorf("list WASI functions: %w", err)
	}
	types := make(map[string]wasm.FuncType)
	for name, f := range module.ExportedFunctions() {
		types[name] = wasm.FuncType{Params: wasmTypes(f.ParamTypes()), Results: wasmTypes(f.ResultTypes())}
	}
	return types, nil
})

// wazero's value types are the binary format's, as ours are.
func wasmTypes(types []api.ValueType) []wasm.ValueType {
	converted := make([]wasm.ValueType, len(types))
	for i, t := range types {
		converted[i] = wasm.ValueType(t)
	}
	return converted
}

func apiTypes(types []wasm.ValueType) []api.ValueType {
	converted := make([]api.ValueType, len(types))
	for i, t := range types {
		converted[i] = api.ValueType(t)
	}
	return converted
}
