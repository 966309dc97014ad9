package plugin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

func TestPrepareMessages(t *testing.T) {
	slot, _ := start(t, operator(t))
	dropped := message.Patch{Outcome: message.Failed(message.Missing, "prepare_messages returned no result for 1 of the chunk's 2 messages")}
	for _, c := range []struct {
		name   string
		output abi.BatchResult
		want   []message.Patch
	}{
		{"nothing changed", results(abi.MessageResult{}, abi.MessageResult{Index: 1}), make([]message.Patch, 2)},
		{
			"in any order",
			results(
				abi.MessageResult{Index: 1, Data: []byte("d"), Batcher: pointer("b"), OnFailure: abi.OnFailureDrop},
				abi.MessageResult{BatchKey: pointer("k"), BatchMode: pointer(abi.BatchModeFlush)},
			),
			[]message.Patch{
				{SetBatchKey: true, BatchKey: "k", SetFlush: true, Flush: true},
				{Data: []byte("d"), SetBatcher: true, Batcher: "b", OnFailure: message.Drop},
			},
		},
		{
			"one failed",
			results(abi.MessageResult{}, abi.MessageResult{Index: 1, Status: abi.StatusFailed, Reason: "why", Retryable: true, Data: []byte("lost")}),
			[]message.Patch{{}, {Outcome: message.Outcome{Kind: message.Handler, Reason: "why", Retryable: true}}},
		},
		{"one dropped", results(abi.MessageResult{Index: 1, Data: []byte("lost")}), []message.Patch{dropped, dropped}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := slot.PrepareMessages(chunk(order(cmdEcho, string(c.output.Append(nil)))))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := slot.HandleMessage(order(cmdCount)); string(got.Data) != "\x01" {
		t.Errorf("count %q", got.Data)
	}
	if got := slot.HandleMessage(order(cmdCount)); string(got.Data) != "\x02" {
		t.Errorf("count %q: the instance was replaced", got.Data)
	}
}

// What a message keeps of its patch outlives the next calls.
func TestPreparedOutlivesCalls(t *testing.T) {
	slot, _ := start(t, operator(t))
	first := slot.PrepareMessages([]*message.Message{order(cmdEcho, string(results(abi.MessageResult{Data: []byte("first")}).Append(nil)))})[0]
	slot.PrepareMessages([]*message.Message{order(cmdEcho, string(results(abi.MessageResult{Data: []byte("other")}).Append(nil)))})
	if string(first.Data) != "first" {
		t.Errorf("got %q", first.Data)
	}
}

// A call that fails as a whole fails every message alike; the next chunk is
// handled.
func TestPrepareFaults(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	limits := plugin.Limits{Batch: plugin.Limit{Deadline: 20 * time.Millisecond}}
	slot := newSlot(t, load(t, engine, operator(t), plugin.Settings{Limits: limits}))
	for m, kind := range map[*message.Message]message.Kind{
		order(cmdTrap): message.Trap, order(cmdExit, byte(0)): message.Exit, order(cmdSpin): message.Deadline, order(cmdRaw, packed(0, 1<<31)): message.ABI,
	} {
		got := slot.PrepareMessages(chunk(m))
		if len(got) != 2 || got[0].Kind != kind || got[1].Kind != kind || got[0].Reason == "" {
			t.Errorf("%v: got %+v", kind, got)
		}
		ok := string(results(abi.MessageResult{}, abi.MessageResult{Index: 1}).Append(nil))
		if next := slot.PrepareMessages(chunk(order(cmdEcho, ok))); !next[0].OK() || !next[1].OK() {
			t.Errorf("after %v: %+v", kind, next)
		}
	}
	if got := slot.PrepareMessages(nil); len(got) != 0 {
		t.Errorf("a chunk of nothing: %+v", got)
	}
	slot.Interrupt()
	if got := slot.PrepareMessages(chunk(order(cmdSpin))); got[0].OK() || strings.Contains(got[0].Reason, "no result") {
		t.Errorf("interrupted: %+v", got)
	}
}
