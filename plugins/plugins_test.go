package plugins_test

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/plugins"
	"github.com/relayhost/relayhost/proto/eventrelay"
	"github.com/relayhost/relayhost/proto/relayhost"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// compiled keeps a module's machine code from one test to the next.
var compiled = wazero.NewCompilationCache()

// instance is the plugin under plain wazero, driven by SPEC.md and protobuf's
// own library: nothing of relayhost's host or codec takes part.
type instance struct {
	t      *testing.T
	module api.Module
	logs   []string
}

func start(t *testing.T, wasm []byte) *instance {
	t.Helper()
	ctx := context.Background()
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCompilationCache(compiled))
	t.Cleanup(func() { _ = runtime.Close(ctx) })
	wasi_snapshot_preview1.MustInstantiate(ctx, runtime)
	in := &instance{t: t}
	_, err := runtime.NewHostModuleBuilder("relay_v1").NewFunctionBuilder().
		WithFunc(func(_ context.Context, m api.Module, _, ptr, size uint32) {
			text, _ := m.Memory().Read(ptr, size)
			in.logs = append(in.logs, string(text))
		}).Export("log").Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	in.module, err = runtime.InstantiateWithConfig(ctx, wasm,
		wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// call writes the input to the plugin's buffer, calls an export and copies its
// output.
func (in *instance) call(export string, input []byte) ([]byte, error) {
	in.t.Helper()
	ctx := context.Background()
	buffer, err := in.module.ExportedFunction("relay_buffer").Call(ctx, uint64(len(input)))
	if err != nil {
		return nil, err
	}
	if buffer[0] == 0 || !in.module.Memory().Write(uint32(buffer[0]), input) {
		in.t.Fatalf("relay_buffer(%d) = %d", len(input), buffer[0])
	}
	packed, err := in.module.ExportedFunction(export).Call(ctx, buffer[0], uint64(len(input)))
	if err != nil {
		return nil, err
	}
	output, ok := in.module.Memory().Read(uint32(packed[0]>>32), uint32(packed[0]))
	if !ok {
		in.t.Fatalf("%s returned %#x, outside the memory", export, packed[0])
	}
	return append([]byte(nil), output...), nil
}

func (in *instance) exchange(export string, input, output proto.Message) {
	in.t.Helper()
	frame, err := proto.Marshal(input)
	if err != nil {
		in.t.Fatal(err)
	}
	answer, err := in.call(export, frame)
	if err != nil {
		in.t.Fatal(err)
	}
	if err := proto.Unmarshal(answer, output); err != nil {
		in.t.Fatalf("%s answered % x: %v", export, answer, err)
	}
}

func event(data string) *relayhost.Message {
	return &relayhost.Message{Event: &eventrelay.Event{Id: "1", Data: data}, Attempt: 1}
}

func TestUpcaseUnderPlainWazero(t *testing.T) {
	in := start(t, plugins.Upcase)
	in.exchange("configure", &relayhost.Configure{Pipeline: "demo", Config: "{}"}, new(relayhost.MessageResult))
	batch := &relayhost.Batch{Batcher: "default"}
	for _, name := range []string{"Bill", "Betty"} {
		m := event(`{"person": {"first_name": "` + name + `", "last_name": "Roberts"}}`)
		result := new(relayhost.MessageResult)
		in.exchange("handle_message", m, result)
		if result.Status != relayhost.Status_STATUS_OK || result.Data == nil {
			t.Fatalf("handle_message(%s) = %v", name, result)
		}
		m.Data = result.Data
		batch.Messages = append(batch.Messages, m)
	}
	result := new(relayhost.BatchResult)
	in.exchange("handle_batch", batch, result)
	const want = `Got batch of finished jobs from processors.: ["BILL", "BETTY"]`
	if len(result.Records) != 1 || string(result.Records[0].Data) != want {
		t.Errorf("records = %v, want %s", result.Records, want)
	}
	if len(result.Results) != 2 || result.Results[1].Index != 1 || result.Results[1].Status != relayhost.Status_STATUS_OK {
		t.Errorf("results = %v", result.Results)
	}
}

func TestUpcaseRefusesMalformedFrames(t *testing.T) {
	in := start(t, plugins.Upcase)
	good, err := proto.Marshal(event(`{"person": {"first_name": "Bill"}}`))
	if err != nil {
		t.Fatal(err)
	}
	malformed := [][]byte{{}, {0x0b}, {0x0a, 0xff}, {0x0a, 0x02, 0x0a, 0x05}, []byte("not a frame")}
	for i := range good {
		malformed = append(malformed, good[:i])
	}
	for _, frame := range malformed {
		answer, err := in.call("handle_message", frame)
		if err != nil {
			t.Fatalf("handle_message(% x) trapped: %v", frame, err)
		}
		result := new(relayhost.MessageResult)
		if err := proto.Unmarshal(answer, result); err != nil {
			t.Fatalf("handle_message(% x) answered % x: %v", frame, answer, err)
		}
		// Cut between its fields, a frame is one without attempt: well-formed.
		if result.Status == relayhost.Status_STATUS_OK && string(result.Data) != "BILL" {
			t.Errorf("handle_message(% x) = %v, want it to fail", frame, result)
		}
	}
	for _, frame := range [][]byte{{0x0b}, {0x22, 0xff}, {0x22, 0x02, 0x0a, 0x05}} {
		if answer, err := in.call("handle_batch", frame); err != nil || len(answer) > 0 {
			t.Errorf("handle_batch(% x) = % x, %v; want an empty answer", frame, answer, err)
		}
	}
	if len(in.logs) != 3 {
		t.Errorf("logs = %q, want a line for each malformed batch", in.logs)
	}
}

// The host writes to the buffer only: any other address is a broken contract,
// and is not read.
func TestUpcaseTrapsOnAForeignAddress(t *testing.T) {
	for name, args := range map[string][2]uint64{
		"outside the buffer": {1 << 16, 8},
		"past the memory":    {1 << 31, 1 << 20},
		"too long":           {0, 1 << 30},
	} {
		t.Run(name, func(t *testing.T) {
			in := start(t, plugins.Upcase)
			ctx := context.Background()
			buffer, err := in.module.ExportedFunction("relay_buffer").Call(ctx, 16)
			if err != nil {
				t.Fatal(err)
			}
			if args[0] == 0 {
				args[0] = buffer[0]
			}
			if _, err := in.module.ExportedFunction("handle_message").Call(ctx, args[0], args[1]); err == nil {
				t.Error("it answered, want a trap")
			}
		})
	}
}
