package call

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/plugin/meter"
)

// raw is wazero with nothing around it: a function that was looked up once, a
// buffer that stays, and a copy of the output.
type raw struct {
	ctx      context.Context //nolint:containedctx // what a call costs with it is measured
	engine   wazero.Runtime
	memory   api.Memory
	instance api.Module
	handle   api.Function
	input    []byte
	output   []byte
	buffer   uint32
	stack    [2]uint64
}

// Floor is what no host can do without.
func Floor(ctx context.Context, name string, module []byte) (Side, error) {
	r, err := newRaw(ctx, wazero.NewRuntimeConfigCompiler(), module)
	if err != nil {
		return Side{}, err
	}
	return Side{Name: name, Call: func() { r.call(r.ctx) }, Close: r.close}, nil
}

// Metered is the floor with the module metered as relayhost does it: what the slot
// takes beyond it is the host's own.
func Metered(ctx context.Context, name string, module []byte) (Side, error) {
	metered, err := meter.Rewrite(module, meter.Limits{})
	if err != nil {
		return Side{}, err
	}
	gauge := meter.NewGauge(0, new(atomic.Bool))
	gauge.Start(fuel, deadline) // of what the instance's start takes
	r, err := newRaw(gauge.Context(ctx), wazero.NewRuntimeConfigCompiler(), metered)
	if err != nil {
		return Side{}, err
	}
	gauge.Bind(r.instance)
	return Side{Name: name, Close: r.close, Call: func() {
		gauge.Start(fuel, deadline)
		r.call(r.ctx)
	}}, nil
}

// CloseOnContextDone is wazero's own way to end a call, with a context for each.
func CloseOnContextDone(ctx context.Context, name string, module []byte) (Side, error) {
	r, err := newRaw(ctx, wazero.NewRuntimeConfigCompiler().WithCloseOnContextDone(true), module)
	if err != nil {
		return Side{}, err
	}
	return Side{Name: name, Close: r.close, Call: func() {
		ctx, cancel := context.WithTimeout(r.ctx, deadline)
		defer cancel()
		r.call(ctx)
	}}, nil
}

func newRaw(ctx context.Context, config wazero.RuntimeConfig, module []byte) (*raw, error) {
	r := &raw{ctx: ctx, engine: wazero.NewRuntimeWithConfig(ctx, config), input: frame()}
	if err := r.start(module); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *raw) start(module []byte) error {
	if _, err := wasi_snapshot_preview1.Instantiate(r.ctx, r.engine); err != nil {
		return err
	}
	log := api.GoModuleFunc(func(context.Context, api.Module, []uint64) {})
	parameters := []api.ValueType{api.ValueTypeI32, api.ValueTypeI32, api.ValueTypeI32}
	_, err := r.engine.NewHostModuleBuilder("relay_v1").
		NewFunctionBuilder().WithGoModuleFunction(log, parameters, nil).Export("log").Instantiate(r.ctx)
	if err != nil {
		return err
	}
	if err := meter.Import(r.ctx, r.engine); err != nil {
		return err
	}
	instance, err := r.engine.InstantiateWithConfig(r.ctx, module, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
	if err != nil {
		return err
	}
	r.instance, r.memory, r.handle = instance, instance.Memory(), instance.ExportedFunction(abi.ExportHandleMessage)
	pointer, err := instance.ExportedFunction(abi.ExportBuffer).Call(r.ctx, uint64(len(r.input)))
	if err == nil {
		r.buffer = uint32(pointer[0])
	}
	return err
}

func (r *raw) call(ctx context.Context) {
	r.memory.Write(r.buffer, r.input)
	r.stack = [2]uint64{uint64(r.buffer), uint64(len(r.input))}
	if err := r.handle.CallWithStack(ctx, r.stack[:]); err != nil {
		panic(err)
	}
	view, ok := r.memory.Read(abi.Unpack(r.stack[0]))
	if !ok || len(view) < 2 {
		panic(fmt.Sprintf("the guest's output is %q", view))
	}
	r.output = append([]byte(nil), view...)
}

func (r *raw) close() error { return r.engine.Close(r.ctx) }
