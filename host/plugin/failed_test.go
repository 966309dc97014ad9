package plugin_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

func TestHandleFailed(t *testing.T) {
	slot, _ := start(t, operator(t))
	for _, c := range []struct {
		name   string
		output abi.BatchResult
		want   []message.OnFailure
	}{
		{"no say", results(), []message.OnFailure{message.AsConfigured, message.AsConfigured}},
		{"about one", results(abi.MessageResult{Index: 1, OnFailure: abi.OnFailureDrop}), []message.OnFailure{message.AsConfigured, message.Drop}},
		{
			"about both, and no other change counts",
			results(abi.MessageResult{Index: 1, OnFailure: abi.OnFailureHaltPartition}, abi.MessageResult{OnFailure: abi.OnFailureDeadLetter, Data: []byte("lost")}),
			[]message.OnFailure{message.DeadLetter, message.HaltPartition},
		},
		{"as configured", results(abi.MessageResult{}, abi.MessageResult{Index: 1}), make([]message.OnFailure, 2)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, o := slot.HandleFailed(failures(chunk(order(cmdEcho, string(c.output.Append(nil))))))
			if !slices.Equal(got, c.want) || !o.OK() {
				t.Errorf("got %v, %+v, want %v", got, o, c.want)
			}
		})
	}
}

// The handler sees what the source sent and why it failed, and nothing that a
// handler made of it.
func TestHandleFailedInput(t *testing.T) {
	slot, _ := start(t, module(t, "recall"))
	m := &message.Message{ID: "1", Event: []byte("event"), Data: []byte("data"), Attempt: 3, Batcher: "b", BatchKey: "k"}
	// A batch before it leaves no trace.
	slot.HandleBatch(&message.Batch{Batcher: "b", Key: "k", Trigger: message.TriggerFlush, Partition: 7, Messages: []*message.Message{m}})
	want := abi.Batch{Batcher: "b", BatchKey: "k", Trigger: abi.TriggerFlush, Partition: 7, Messages: []abi.Message{
		{Event: m.Event, Data: m.Data, Attempt: 3},
	}}
	if diff := cmp.Diff(want, recall(t, slot)); diff != "" {
		t.Error("handle_batch:", diff)
	}
	_, o := slot.HandleFailed([]message.Failure{
		{Message: m, Outcome: message.Failed(message.Sink, "gone\xff")},
		{Message: m, Outcome: message.Failed(message.Trap, "")},
	})
	want = abi.Batch{Messages: []abi.Message{
		{Event: m.Event, Attempt: 3, FailureKind: "sink", FailureReason: "gone\uFFFD"},
		{Event: m.Event, Attempt: 3, FailureKind: "trap"},
	}}
	if diff := cmp.Diff(want, recall(t, slot)); diff != "" || !o.OK() {
		t.Error("handle_failed:", o, diff)
	}
	slot.PrepareMessages([]*message.Message{m})
	want = abi.Batch{Messages: []abi.Message{{Event: m.Event, Data: m.Data, Attempt: 3}}}
	if diff := cmp.Diff(want, recall(t, slot)); diff != "" {
		t.Error("prepare_messages:", diff)
	}
}

// recall is the input of the slot's call before.
func recall(t *testing.T, slot *plugin.Slot) abi.Batch {
	t.Helper()
	b, err := abi.ParseBatch(slot.HandleMessage(&message.Message{}).Data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A call that fails has no say, and the next one is made.
func TestHandleFailedFaults(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	limits := plugin.Limits{Batch: plugin.Limit{Deadline: 20 * time.Millisecond}}
	slot := newSlot(t, load(t, engine, operator(t), plugin.Settings{Limits: limits}))
	say := string(results(abi.MessageResult{OnFailure: abi.OnFailureDrop}).Append(nil))
	for m, kind := range map[*message.Message]message.Kind{
		order(cmdTrap): message.Trap, order(cmdExit, byte(0)): message.Exit, order(cmdSpin): message.Deadline, order(cmdRaw, packed(0, 1<<31)): message.ABI,
	} {
		if got, o := slot.HandleFailed(failures(chunk(order(cmdEcho, say)))); !o.OK() || got[0] != message.Drop {
			t.Errorf("before %v: %v, %+v", kind, got, o)
		}
		got, o := slot.HandleFailed(failures(chunk(m)))
		if !slices.Equal(got, make([]message.OnFailure, 2)) || o.Kind != kind || o.Reason == "" {
			t.Errorf("%v: got %v, %+v", kind, got, o)
		}
	}
}
