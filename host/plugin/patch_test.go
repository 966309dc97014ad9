package plugin_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

func TestOneToMany(t *testing.T) {
	slot, _ := start(t, module(t, "puppet"))
	outputs := []abi.Output{
		{},
		{Data: []byte{}, Batcher: pointer("b"), BatchKey: pointer(""), BatchMode: pointer(abi.BatchModeFlush)},
		{Data: []byte("x"), BatchMode: pointer(abi.BatchModeBulk)},
	}
	want := []message.Output{
		{},
		{Data: []byte{}, SetBatcher: true, Batcher: "b", SetBatchKey: true, SetFlush: true, Flush: true},
		{Data: []byte("x"), SetFlush: true},
	}
	for _, c := range []struct {
		name   string
		result abi.MessageResult
		want   message.Patch
	}{
		{"outputs", abi.MessageResult{Outputs: outputs}, message.Patch{Outputs: want}},
		{
			"with changes to what they are made of", abi.MessageResult{Data: []byte("d"), Batcher: pointer("a"), Outputs: outputs},
			message.Patch{Data: []byte("d"), SetBatcher: true, Batcher: "a", Outputs: want},
		},
		{
			"of a failed message", abi.MessageResult{Status: abi.StatusFailed, Reason: "why", Outputs: outputs},
			message.Patch{Outcome: message.Failed(message.Handler, "why")},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := slot.HandleMessage(long(frame(c.result)))
			slot.HandleMessage(long(strings.Repeat("\x7a\x00", 100))) // what lies where the outputs lay
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What becomes of a failure may be said before there is one.
func TestPatchOnFailure(t *testing.T) {
	slot, _ := start(t, module(t, "puppet"))
	for action, want := range map[abi.OnFailure]message.OnFailure{
		abi.OnFailureAsConfigured: message.AsConfigured, abi.OnFailureRetry: message.Retry, abi.OnFailureDeadLetter: message.DeadLetter,
		abi.OnFailureHaltPartition: message.HaltPartition, abi.OnFailureDrop: message.Drop,
	} {
		for _, status := range []abi.Status{abi.StatusOK, abi.StatusFailed} {
			got := slot.HandleMessage(order(cmdEcho, frame(abi.MessageResult{Status: status, OnFailure: action})))
			if got.OnFailure != want || got.OK() != (status == abi.StatusOK) {
				t.Errorf("%v: got %+v", want, got)
			}
		}
	}
}

func TestHostilePatches(t *testing.T) {
	key := strings.Repeat("k", 1<<20)
	for _, c := range []struct {
		name, want string
		result     abi.MessageResult
	}{
		{"a megabyte of batch_key", "a batch_key has 1048576 bytes, and the limit is 1024", abi.MessageResult{BatchKey: &key}},
		{"an output's", "output 1: a batch_key has 1048576 bytes", abi.MessageResult{Outputs: []abi.Output{{}, {BatchKey: &key}}}},
		{"too many outputs", "there are more than 1000 outputs", abi.MessageResult{Outputs: make([]abi.Output, 1001)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			slot, _ := start(t, module(t, "puppet"))
			slot.HandleMessage(order(cmdCount))
			got := slot.HandleMessage(long(frame(c.result)))
			if got.Kind != message.ABI || !strings.Contains(got.Reason, c.want) || len(got.Outputs) > 0 {
				t.Errorf("got %+v", got)
			}
			if !fresh(slot) {
				t.Error("the instance was not replaced")
			}
		})
	}
	t.Run("the most that is allowed", func(t *testing.T) {
		slot, _ := start(t, module(t, "puppet"))
		got := slot.HandleMessage(long(frame(abi.MessageResult{BatchKey: pointer(key[:1024]), Outputs: make([]abi.Output, 1000)})))
		if !got.OK() || len(got.Outputs) != 1000 || len(got.BatchKey) != 1024 {
			t.Errorf("%v, %d outputs, a key of %d bytes", got.Outcome, len(got.Outputs), len(got.BatchKey))
		}
	})
}

// 64 MiB of empty outputs are 32 million: refused before they take the host's
// memory, wherever they come.
func TestOutputBomb(t *testing.T) {
	file := alias(t, module(t, "bomb"), abi.ExportHandleBatch, abi.ExportHandleMessage, abi.ExportPrepare, abi.ExportFailed)
	engine, _ := open(t, plugin.Options{})
	slot := newSlot(t, load(t, engine, file, plugin.Settings{Limits: plugin.Limits{OutputSize: 64 << 20, Outputs: 7}}))
	if got := slot.HandleMessage(&message.Message{Event: []byte("  \x52\x00")}); got.Kind != message.ABI || !strings.Contains(got.Reason, "more than 7 outputs") {
		t.Errorf("handle_message: %+v", got.Outcome)
	}
	for item, want := range map[string]string{"\x0a\x00": "index 0 occurs twice", "\x12\x00": "only handle_batch may return records"} {
		m := &message.Message{Event: []byte(item)}
		if got := slot.PrepareMessages([]*message.Message{m}); got[0].Kind != message.ABI || !strings.Contains(got[0].Reason, want) {
			t.Errorf("prepare_messages: %+v", got[0].Outcome)
		}
		if _, o := slot.HandleFailed([]message.Failure{{Message: m}}); o.Kind != message.ABI || !strings.Contains(o.Reason, want) {
			t.Errorf("handle_failed: %+v", o)
		}
	}
}

// Neither configure nor a batch makes messages.
func TestOutputsWhereNoneMayBe(t *testing.T) {
	slot, _ := start(t, module(t, "puppet"))
	output := string(results(abi.MessageResult{}, abi.MessageResult{Index: 1, Outputs: []abi.Output{{}}}).Append(nil))
	for _, o := range slot.HandleBatch(&message.Batch{Messages: chunk(order(cmdEcho, output))}).Outcomes {
		if o.Kind != message.ABI || !strings.Contains(o.Reason, "only handle_message has outputs") {
			t.Errorf("got %+v", o)
		}
	}
	engine, _ := open(t, plugin.Options{})
	file := alias(t, module(t, "bomb"), abi.ExportHandleBatch, abi.ExportConfigure)
	config := "  \x52\x00" // the bomb's item lies behind the keys and lengths, and two bytes of this
	_, err := engine.Load(t.Context(), "bomb.wasm", file, plugin.Settings{Config: config, Limits: plugin.Limits{OutputSize: 64 << 20}})
	if err == nil || !strings.Contains(err.Error(), "only handle_message may return outputs") {
		t.Errorf("configure: %v", err)
	}
}
