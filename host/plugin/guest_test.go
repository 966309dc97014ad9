package plugin_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// testdata/spec.wat is the example of abi/SPEC.md, to the letter.
func TestSpecExampleIsTheSpecs(t *testing.T) {
	spec, err := os.ReadFile("../../abi/SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	wat, err := os.ReadFile("testdata/spec.wat")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(spec), "```wat\n")
	example, _, closed := strings.Cut(example, "```")
	if !found || !closed || example != string(wat) {
		t.Error("copy the wat block of abi/SPEC.md to testdata/spec.wat and run make wat")
	}
}

// What the guest reads is the frame, whole, whatever its size and whether its
// memory moved for it or not.
func TestInputArrivesWhole(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	slot := newSlot(t, load(t, engine, module(t, "echo"), plugin.Settings{}))
	for _, size := range []int{0, 1, 127, 128, 65535, 65536, 5 << 20, 17, 9 << 20} {
		m := &message.Message{Event: bytes.Repeat([]byte("0123456789"), size/10+1)[:size], Attempt: 7}
		if size%2 == 1 {
			m.Data = []byte("data")
		}
		got := slot.HandleMessage(m)
		frame, err := abi.ParseMessage(got.Data)
		if err != nil || !got.OK() {
			t.Fatalf("%d bytes: %v, %v", size, got.Outcome, err)
		}
		if !bytes.Equal(frame.Event, m.Event) || !bytes.Equal(frame.Data, m.Data) || frame.Attempt != 7 {
			t.Errorf("%d bytes did not arrive as they were sent", size)
		}
	}
}

// What a message keeps is not the guest's memory: a later call does not change
// it.
func TestPatchOutlivesCalls(t *testing.T) {
	slot, _ := start(t, module(t, "puppet"))
	first := slot.HandleMessage(order(cmdEcho, frame(abi.MessageResult{Data: []byte("first"), Batcher: pointer("a")})))
	slot.HandleMessage(order(cmdEcho, frame(abi.MessageResult{Data: []byte("other"), Batcher: pointer("b")})))
	slot.HandleMessage(order(cmdTrap))
	if string(first.Data) != "first" || first.Batcher != "a" {
		t.Errorf("got %+v", first)
	}
}

// Recursion without end is a trap, and no crash.
func TestRecursion(t *testing.T) {
	slot, _ := start(t, module(t, "puppet"))
	if got := slot.HandleMessage(order(cmdRecurse)); got.Kind != message.Trap || !strings.Contains(got.Reason, "the stack is used up") {
		t.Errorf("got %+v", got.Outcome)
	}
}

// An output of millions of empty items is refused before it takes the host's
// memory.
func TestItemBomb(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	slot := newSlot(t, load(t, engine, module(t, "bomb"), plugin.Settings{NeedBatch: true, Limits: plugin.Limits{OutputSize: 64 << 20}}))
	for _, c := range []struct{ item, want string }{
		{"\x0a\x00", "index 0 occurs twice"},
		{"\x12\x00", "more than 65536 records"},
	} {
		b := &message.Batch{Messages: []*message.Message{{Event: []byte(c.item)}}}
		got := slot.HandleBatch(b)
		if o := got.Outcomes[0]; o.Kind != message.ABI || !strings.Contains(o.Reason, c.want) {
			t.Errorf("got %+v, want %q", o, c.want)
		}
	}
}

// A batch costs no allocation once a slot has had one of its size.
func TestHandleBatchAllocates(t *testing.T) {
	slot, _ := start(t, module(t, "puppet"))
	output := abi.BatchResult{Results: []abi.MessageResult{{}, {Index: 1}, {Index: 2}}, Records: []abi.Record{{Data: []byte("r")}}}
	b := &message.Batch{Messages: []*message.Message{order(cmdEcho, string(output.Append(nil))), order(cmdCount), order(cmdCount)}}
	if n := testing.AllocsPerRun(1000, func() { slot.HandleBatch(b) }); n > 0 {
		t.Errorf("%v allocations a batch, want none", n)
	}
}
