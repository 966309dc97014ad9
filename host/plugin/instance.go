package plugin

import (
	"context"
	"log/slog"
	"math"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin/meter"
)

// instance is one instance of a module. It belongs to one goroutine at a time:
// wazero gives wrong results without an error otherwise.
type instance struct {
	ctx            *callContext // kept, so that a call makes nothing
	log            *guestLog
	gauge          *meter.Gauge
	world          *world
	limits         *Limits
	stdout, stderr lineWriter
	module         api.Module
	memory         api.Memory
	denied         api.Global    // 1 once the guest was refused memory
	took           time.Duration // to make it
	ready          uint32        // the memory's size when the instance was ready, in bytes
	image          *image        // the state when the instance was ready, if it is to be put back

	buffer, teardown                                          api.Function
	handleMessage, handleBatch, prepareMessages, handleFailed api.Function

	// stack is the parameters and results of a call.
	stack [2]uint64
	// The input buffer that relay_buffer returned last, and the size that was
	// asked for; 0 before the first time.
	bufferPtr, bufferSize uint32
}

// frame is what an input is made of: [abi.Message], [abi.Batch] or
// [abi.Configure].
type frame interface {
	Size() int
	Append(dst []byte) []byte
}

// newInstance makes an instance that is ready for messages: it runs the start
// function, _initialize and configure.
func (s *Slot) newInstance() (*instance, *fault) {
	p, log := s.plugin, s.newLog()
	in := &instance{log: log, gauge: meter.NewGauge(0, &s.interrupted), limits: &p.settings.Limits}
	in.world = newWorld(&p.settings, in.gauge)
	log.gauge = in.gauge
	in.ctx = &callContext{Context: context.Background(), log: log, gauge: in.gauge}
	in.stdout = lineWriter{log: log, level: slog.LevelInfo, source: "stdout"}
	in.stderr = lineWriter{log: log, level: slog.LevelWarn, source: "stderr"}
	log.call = "start"
	in.start(in.limits.Start)
	in.world.begin("")
	began := time.Now()
	// Outside Go's heap, so that a plugin that wears out instances brings no
	// garbage collections upon others, and a memory grows without a copy.
	ctx, memory := withMemory(&callContext{Context: s.ctx, log: log, gauge: in.gauge})
	err := guard(func() (err error) {
		config := in.world.config().WithStdout(&in.stdout).WithStderr(&in.stderr)
		in.module, err = p.code.runtime.InstantiateModule(ctx, p.code.CompiledModule, config)
		return err
	})
	if err != nil {
		memory.Free()
		in.flush()
		return nil, failure(err).during("start")
	}
	in.bind()
	if f := in.prepare(abi.Configure{Pipeline: p.settings.Pipeline, Config: p.settings.Config}); f != nil {
		in.close()
		return nil, f
	}
	in.ready, in.took = in.memory.Size(), time.Since(began)
	if p.restore {
		in.image = newImage(in, memory, p.globals)
	}
	return in, nil
}

// start begins a call with what it may use.
func (in *instance) start(l Limit) { in.gauge.Start(l.Fuel, l.Deadline) }

// begin begins a call about an event.
func (in *instance) begin(l Limit, id string) {
	in.start(l)
	in.world.begin(id)
}

func (in *instance) bind() {
	in.gauge.Bind(in.module)
	in.denied = in.module.ExportedGlobal(meter.ExportDenied)
	in.memory = in.module.Memory()
	in.buffer = in.module.ExportedFunction(abi.ExportBuffer)
	in.handleMessage = in.module.ExportedFunction(abi.ExportHandleMessage)
	in.handleBatch = in.module.ExportedFunction(abi.ExportHandleBatch)
	in.prepareMessages = in.module.ExportedFunction(abi.ExportPrepare)
	in.handleFailed = in.module.ExportedFunction(abi.ExportFailed)
	in.teardown = in.module.ExportedFunction(abi.ExportTeardown)
}

func (in *instance) prepare(config abi.Configure) *fault {
	if f := in.run(abi.ExportInitialize, in.module.ExportedFunction(abi.ExportInitialize)); f != nil {
		return f.during(abi.ExportInitialize)
	}
	configure := in.module.ExportedFunction(abi.ExportConfigure)
	if configure == nil {
		return nil
	}
	in.start(in.limits.Configure)
	output, f := call(in, abi.ExportConfigure, configure, config)
	if f != nil {
		return f.during(abi.ExportConfigure)
	}
	return parseConfigured(output)
}

// run calls a function without parameters, if the module has it.
func (in *instance) run(name string, fn api.Function) *fault {
	if fn == nil {
		return nil
	}
	in.log.call = name
	in.start(in.limits.Start)
	if err := fn.CallWithStack(in.ctx, in.stack[:]); err != nil {
		return in.failure(err)
	}
	return nil
}

// failure is the fault of a call. A trap of a guest that was refused memory is
// put down to that: Go's runtime, for one, throws then.
func (in *instance) failure(err error) *fault {
	f := failure(err)
	if f.kind == message.Trap && in.denied.Get() != 0 {
		return &fault{kind: message.Memory, reason: "the plugin could have no more memory: " + f.reason, trace: f.trace}
	}
	return f
}

// call writes an input to the instance's buffer, calls a handler, and returns
// its output, which lies in the instance's memory: it is valid until the next
// call. It is generic so that a frame's methods are called directly.
func call[F frame](in *instance, name string, fn api.Function, input F) ([]byte, *fault) {
	size := input.Size()
	view, f := in.input(size)
	if f != nil {
		return nil, f
	}
	input.Append(view[:0])
	in.log.call = name
	in.stack = [2]uint64{uint64(in.bufferPtr), uint64(size)} //nolint:gosec // a length
	if err := fn.CallWithStack(in.ctx, in.stack[:]); err != nil {
		return nil, in.failure(err)
	}
	return in.output(in.stack[0])
}

// input returns size bytes of the input buffer. They are the guest's memory
// itself, valid until a guest runs: memory.grow moves it.
func (in *instance) input(size int) ([]byte, *fault) {
	if size > math.MaxInt32 {
		return nil, breach("the input of %d bytes is larger than a plugin can take", size)
	}
	if in.bufferPtr == 0 || size > int(in.bufferSize) {
		if f := in.askBuffer(max(uint32(size), 1)); f != nil { //nolint:gosec // checked above
			return nil, f
		}
	}
	view, ok := in.memory.Read(in.bufferPtr, uint32(size)) //nolint:gosec // checked above
	if !ok {
		return nil, breach("the input buffer no longer lies in the memory")
	}
	return view, nil
}

func (in *instance) askBuffer(size uint32) *fault {
	in.log.call = abi.ExportBuffer
	in.stack[0] = uint64(size)
	if err := in.buffer.CallWithStack(in.ctx, in.stack[:]); err != nil {
		return in.failure(err).during(abi.ExportBuffer)
	}
	ptr := api.DecodeU32(in.stack[0])
	if ptr == 0 {
		return breach("relay_buffer(%d) returned 0: the plugin has no room for the input", size)
	}
	if _, ok := in.memory.Read(ptr, size); !ok {
		return breach("relay_buffer(%d) returned %d, but the memory ends at %d", size, ptr, in.memory.Size())
	}
	in.bufferPtr, in.bufferSize = ptr, size
	return nil
}

func (in *instance) output(packed uint64) ([]byte, *fault) {
	ptr, size := abi.Unpack(packed)
	if size == 0 {
		return nil, nil
	}
	if int64(size) > int64(in.limits.OutputSize) {
		return nil, breach("the output has %d bytes, and the limit is %d", size, in.limits.OutputSize)
	}
	view, ok := in.memory.Read(ptr, size)
	if !ok {
		return nil, breach("the output of %d bytes at %d does not lie in the memory, which ends at %d",
			size, ptr, in.memory.Size())
	}
	return view, nil
}

// restore puts the instance back to the state in which it was ready, and
// reports whether that can be done.
func (in *instance) restore() bool {
	if in.image == nil || !in.image.restore(in.module) {
		return false
	}
	in.flush()
	in.world.moved = in.image.moved
	in.bufferPtr, in.bufferSize = 0, 0
	return true
}

// outgrown reports whether calls have made the instance larger than may be
// kept.
func (in *instance) outgrown() bool {
	size := in.memory.Size()
	return size > in.ready && size>>pageBits > in.limits.KeptPages
}

// pageBits is the logarithm of a page's size.
const pageBits = 16

// retire gives the instance back in an orderly way.
func (in *instance) retire() *fault {
	f := in.run(abi.ExportTeardown, in.teardown)
	in.close()
	if f != nil {
		return f.during(abi.ExportTeardown)
	}
	return nil
}

// close ends an instance, whatever its state.
func (in *instance) close() {
	in.flush()
	// It closes no file and no connection, so that there is nothing to fail.
	_ = in.module.Close(in.ctx)
}

func (in *instance) flush() {
	in.stdout.flush()
	in.stderr.flush()
}
