package plugin_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// alias has a function of a module exported under more names.
func alias(t testing.TB, file []byte, export string, names ...string) []byte {
	t.Helper()
	m, err := wasm.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	e, ok := m.Export(export)
	if !ok {
		t.Fatalf("%s is not exported", export)
	}
	for _, name := range names {
		m.Exports = slices.DeleteFunc(m.Exports, func(e wasm.Export) bool { return e.Name == name })
		m.Exports = append(m.Exports, wasm.Export{Name: name, Kind: wasm.KindFunc, Index: e.Index})
	}
	return m.Encode()
}

// operator is a puppet that obeys in prepare_messages and handle_failed too.
func operator(t testing.TB) []byte {
	t.Helper()
	return alias(t, module(t, "puppet"), abi.ExportHandleBatch, abi.ExportPrepare, abi.ExportFailed)
}

// inputAt is where the puppet's input buffer lies.
const inputAt = 65536

// long has handle_message return an output of any length.
func long(output string) *message.Message {
	m := order(cmdRaw, uint64(0))
	m.Data = []byte(output)
	frame := abi.Message{Event: m.Event, Data: m.Data}.Append(nil)
	at := inputAt + bytes.Index(frame, m.Data)
	*m = *order(cmdRaw, packed(uint32(at), uint32(len(output))))
	m.Data = []byte(output)
	return m
}

// longChunk has prepare_messages return an output of any length, and
// longFailures handle_failed.
func longChunk(output string) []*message.Message {
	return longBatch(output, abi.Message{Attempt: 1})
}

func longFailures(output string) []message.Failure {
	return failures(longBatch(output, abi.Message{Attempt: 1, FailureKind: "handler", FailureReason: "why"}))
}

// longBatch is an order and the output that it asks for; wire is what is sent
// of a message beside its event.
func longBatch(output string, wire abi.Message) []*message.Message {
	first, second := order(cmdRaw, uint64(0)), &message.Message{ID: "2", Event: []byte(output), Attempt: 1}
	var frame abi.Batch
	for _, m := range []*message.Message{first, second} {
		wire.Event = m.Event
		frame.Messages = append(frame.Messages, wire)
	}
	at := inputAt + bytes.LastIndex(frame.Append(nil), second.Event)
	return []*message.Message{order(cmdRaw, packed(uint32(at), uint32(len(output)))), second}
}

// chunk is two messages of which the first is an order.
func chunk(first *message.Message) []*message.Message {
	return []*message.Message{first, order(cmdCount)}
}

func failures(messages []*message.Message) []message.Failure {
	all := make([]message.Failure, len(messages))
	for i, m := range messages {
		all[i] = message.Failure{Message: m, Outcome: message.Failed(message.Handler, "why")}
	}
	return all
}

// fresh reports whether the slot's instance is new, and its first message
// does well.
func fresh(slot *plugin.Slot) bool {
	return string(slot.HandleMessage(order(cmdCount)).Data) == "\x01"
}

func TestExports(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	plain := load(t, engine, module(t, "puppet"), plugin.Settings{})
	both := load(t, engine, operator(t), plugin.Settings{})
	for _, name := range []string{abi.ExportPrepare, abi.ExportFailed} {
		if plain.Exports(name) || !both.Exports(name) {
			t.Errorf("%s: exported by the one %v, by the other %v", name, plain.Exports(name), both.Exports(name))
		}
		file := alias(t, module(t, "puppet"), "x_buffer_zero", name)
		_, err := engine.Load(t.Context(), "puppet.wasm", file, plugin.Settings{})
		if want := "export " + name + " has type (i32) -> i32, want (i32, i32) -> i64"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// What a plugin does not export costs an outcome, and no crash.
func TestNotExported(t *testing.T) {
	slot, _ := start(t, module(t, "puppet"))
	for _, p := range slot.PrepareMessages(chunk(order(cmdCount))) {
		if p.Kind != message.ABI || !strings.Contains(p.Reason, "does not export prepare_messages") {
			t.Errorf("got %+v", p)
		}
	}
	actions, o := slot.HandleFailed(failures(chunk(order(cmdCount))))
	if len(actions) != 2 || o.Kind != message.ABI || !strings.Contains(o.Reason, "does not export handle_failed") {
		t.Errorf("got %v, %+v", actions, o)
	}
}

// All that breaks the contract is one clear fault; the instance goes, and what
// comes next is handled.
func TestHostileResults(t *testing.T) {
	item := func(rs ...abi.MessageResult) string { return string(results(rs...).Append(nil)) }
	key := strings.Repeat("k", 1<<20)
	records := string(abi.AppendRecord(nil, []byte("r")))
	both := item(abi.MessageResult{}, abi.MessageResult{Index: 1})
	for _, c := range []struct {
		name, output, want string
		prepare, failed    bool
	}{
		{"index twice", item(abi.MessageResult{}, abi.MessageResult{}), "index 0 occurs twice", true, true},
		{"index out of range", item(abi.MessageResult{Index: 2}), "index 2 is out of range, there are 2 messages", true, true},
		{"index far away", item(abi.MessageResult{Index: 1<<32 - 1}), "is out of range", true, true},
		{"an index of 33 bits", "\x0a\x06\x08\x80\x80\x80\x80\x10", "field 1 is out of range", true, true},
		{"records", both + records, "only handle_batch may return records", true, true},
		{"outputs", item(abi.MessageResult{Outputs: []abi.Output{{}}}), "only handle_message has outputs", true, true},
		{"an unknown on_failure", "\x0a\x02\x48\x05", "field 9 has the unknown value 5", true, true},
		{"a length that lies", "\x0a\x7f\x08\x01", "longer than the frame", true, true},
		{"a result that is none", "\x0a\x01\x0b", "malformed frame", true, true},
		{"a failed status", item(abi.MessageResult{Status: abi.StatusFailed}), "index 0 has failed", false, true},
		{"a megabyte of batch_key", item(abi.MessageResult{BatchKey: &key}), "index 0: a batch_key has 1048576 bytes, and the limit is 1024", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			slot, _ := start(t, operator(t))
			if c.prepare {
				slot.HandleMessage(order(cmdCount))
				for i, p := range slot.PrepareMessages(longChunk(c.output)) {
					if p.Kind != message.ABI || !strings.Contains(p.Reason, c.want) || p.Data != nil {
						t.Errorf("prepare_messages %d: %+v", i, p)
					}
				}
				if !fresh(slot) {
					t.Error("prepare_messages: the instance was not replaced")
				}
			}
			if c.failed {
				slot.HandleMessage(order(cmdCount))
				actions, o := slot.HandleFailed(longFailures(c.output))
				if o.Kind != message.ABI || !strings.Contains(o.Reason, c.want) || !slices.Equal(actions, make([]message.OnFailure, 2)) {
					t.Errorf("handle_failed: %v, %+v", actions, o)
				}
				if !fresh(slot) {
					t.Error("handle_failed: the instance was not replaced")
				}
			}
		})
	}
}

// A slot that has seen chunks of a size needs no more memory for them, but for
// what the messages keep.
func TestOperationsAllocate(t *testing.T) {
	slot, _ := start(t, operator(t))
	ok := string(results(abi.MessageResult{}, abi.MessageResult{Index: 1, OnFailure: abi.OnFailureDrop}).Append(nil))
	messages := chunk(order(cmdEcho, ok))
	failed := failures(messages)
	if n := testing.AllocsPerRun(1000, func() { slot.PrepareMessages(messages) }); n > 0 {
		t.Errorf("prepare_messages: %v allocations, want none", n)
	}
	if n := testing.AllocsPerRun(1000, func() { slot.HandleFailed(failed) }); n > 0 {
		t.Errorf("handle_failed: %v allocations, want none", n)
	}
}

// FuzzOperations: whatever a guest returns, each message gets a patch or an
// action, and the next message is handled.
func FuzzOperations(f *testing.F) {
	f.Add("")
	f.Add(string(results(abi.MessageResult{Data: []byte("d")}, abi.MessageResult{Index: 1, OnFailure: abi.OnFailureRetry}).Append(nil)))
	f.Add(string(abi.MessageResult{Outputs: []abi.Output{{Data: []byte("d"), Batcher: pointer("b"), BatchKey: pointer("k")}, {}}}.Append(nil)))
	slot, _ := start(f, operator(f))
	f.Fuzz(func(t *testing.T, output string) {
		output = output[:min(len(output), 1<<10)]
		if p := slot.HandleMessage(long(output)); len(p.Outputs) > len(output)/2 || len(p.Outputs) > 0 && !p.OK() {
			t.Errorf("%d outputs of %d bytes, %v", len(p.Outputs), len(output), p.Kind)
		}
		if got := slot.PrepareMessages(longChunk(output)); len(got) != 2 {
			t.Errorf("%d patches for 2 messages", len(got))
		}
		if got, o := slot.HandleFailed(longFailures(output)); len(got) != 2 || !o.OK() && !slices.Equal(got, make([]message.OnFailure, 2)) {
			t.Errorf("actions %v for 2 messages, %+v", got, o)
		}
		if got := slot.HandleMessage(order(cmdCount)); len(got.Data) != 1 {
			t.Errorf("the next message: %+v", got)
		}
	})
}
