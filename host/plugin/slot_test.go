package plugin_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

func pointer[T any](v T) *T { return &v }

// frame is a result as a guest returns it.
func frame(r abi.MessageResult) string { return string(r.Append(nil)) }

func TestPatch(t *testing.T) {
	slot, _ := start(t, module(t, "puppet"))
	for _, c := range []struct {
		name   string
		output string
		want   message.Patch
	}{
		{"nothing", "", message.Patch{}},
		{"data", frame(abi.MessageResult{Data: []byte("x")}), message.Patch{Data: []byte("x")}},
		{"empty data", frame(abi.MessageResult{Data: []byte{}}), message.Patch{Data: []byte{}}},
		{
			"route", frame(abi.MessageResult{Batcher: pointer("b"), BatchKey: pointer(""), BatchMode: pointer(abi.BatchModeFlush)}),
			message.Patch{SetBatcher: true, Batcher: "b", SetBatchKey: true, SetFlush: true, Flush: true},
		},
		{
			"failed", frame(abi.MessageResult{Status: abi.StatusFailed, Reason: "no\nname", Retryable: true, Data: []byte("lost")}),
			message.Patch{Outcome: message.Outcome{Kind: message.Handler, Reason: `no\nname`, Retryable: true}},
		},
		{
			"failed without a reason", frame(abi.MessageResult{Status: abi.StatusFailed}),
			message.Patch{Outcome: message.Failed(message.Handler, "the plugin gave no reason")},
		},
		{"unknown fields", "\x7a\x01?" + frame(abi.MessageResult{Data: []byte("x")}), message.Patch{Data: []byte("x")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := slot.HandleMessage(order(cmdEcho, c.output))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever a guest does costs it its own message and its own instance: the next
// message is handled by a new one.
func TestFaults(t *testing.T) {
	const memoryEnd = 2 * 65536
	for _, c := range []struct {
		name   string
		order  *message.Message
		kind   message.Kind
		reason string
	}{
		{"trap", order(cmdTrap), message.Trap, "unreachable"},
		{"trap with a stack", order(cmdTrapNamed), message.Trap, "divide by zero in "},
		{"exit 3", order(cmdExit, byte(3)), message.Exit, "proc_exit(3)"},
		{"exit 0", order(cmdExit, byte(0)), message.Exit, "proc_exit(0)"},
		{"output past the end", order(cmdRaw, packed(memoryEnd-1, 2)), message.ABI, "does not lie in the memory"},
		{"output far away", order(cmdRaw, packed(0xffff0000, 16)), message.ABI, "does not lie in the memory"},
		{"output that wraps", order(cmdRaw, packed(0xffffffff, 2)), message.ABI, "does not lie in the memory"},
		{"output of 4 GiB", order(cmdRaw, packed(0, 0xffffffff)), message.ABI, "and the limit is"},
		{"output that is no frame", order(cmdEcho, "\x0a"), message.ABI, "malformed frame"},
		{"output with a group", order(cmdEcho, "\x0b\x0c"), message.ABI, "malformed frame"},
		{"unknown status", order(cmdEcho, "\x10\x07"), message.ABI, "unknown value 7"},
		{"unknown mode", order(cmdEcho, "\x40\x07"), message.ABI, "unknown value 7"},
		{"index of another message", order(cmdEcho, "\x08\x01"), message.ABI, "index 1"},
		{"batcher that is not UTF-8", order(cmdEcho, "\x32\x01\xff"), message.ABI, "not UTF-8"},
		{"log out of range", order(cmdLog, uint32(1), uint32(memoryEnd), uint32(1)), message.Trap, "does not lie in the memory"},
		{"log that wraps", order(cmdLog, uint32(1), uint32(0xffffffff), uint32(2)), message.Trap, "does not lie in the memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			slot, _ := start(t, module(t, "puppet"))
			slot.HandleMessage(order(cmdCount))
			got := slot.HandleMessage(c.order)
			if got.Kind != c.kind || !strings.Contains(got.Reason, c.reason) {
				t.Errorf("got %v %q, want %v %q", got.Kind, got.Reason, c.kind, c.reason)
			}
			if strings.ContainsAny(got.Reason, "\n\t") || len(got.Reason) > 2048 {
				t.Errorf("the reason is not one short line: %q", got.Reason)
			}
			// Every trap has its stack, innermost call first, the export last.
			if trapped := c.kind == message.Trap; trapped != strings.HasSuffix(got.Trace, "(i32,i32) i64") {
				t.Errorf("trace %q", got.Trace)
			}
			if next := slot.HandleMessage(order(cmdCount)); string(next.Data) != "\x01" {
				t.Errorf("the next message met the state %q of a discarded instance, or failed: %+v", next.Data, next)
			}
		})
	}
}

// Failures of the handler's own making leave the instance as it is.
func TestHandlerFailureKeepsInstance(t *testing.T) {
	slot, _ := start(t, module(t, "puppet"))
	slot.HandleMessage(order(cmdCount))
	slot.HandleMessage(order(cmdEcho, frame(abi.MessageResult{Status: abi.StatusFailed})))
	if got := slot.HandleMessage(order(cmdCount)); string(got.Data) != "\x02" {
		t.Errorf("count %q, want 2: the instance was replaced", got.Data)
	}
}

func TestInputBuffer(t *testing.T) {
	for _, c := range []struct{ name, export, reason string }{
		{"none", "x_buffer_zero", "returned 0"},
		{"past the end", "x_buffer_end", "the memory ends at"},
		{"a byte short", "x_buffer_short", "the memory ends at"},
	} {
		t.Run(c.name, func(t *testing.T) {
			slot, _ := start(t, puppet(t, c.export, abi.ExportBuffer))
			got := slot.HandleMessage(order(cmdCount))
			if got.Kind != message.ABI || !strings.Contains(got.Reason, c.reason) {
				t.Errorf("got %v %q", got.Kind, got.Reason)
			}
		})
	}
	t.Run("trap", func(t *testing.T) {
		slot, _ := start(t, puppet(t, "x_buffer_trap", abi.ExportBuffer))
		if got := slot.HandleMessage(order(cmdCount)); got.Kind != message.Trap {
			t.Errorf("got %v %q", got.Kind, got.Reason)
		}
	})
}

// Inputs of any size, before and after small ones, while the memory moves.
func TestInputSizes(t *testing.T) {
	slot, _ := start(t, module(t, "puppet"))
	for _, size := range []int{0, 1, 100, 70_000, 5 << 20, 3, 6 << 20, 0} {
		m := &message.Message{Event: append([]byte{cmdOverwrite}, make([]byte, size)...), Data: []byte("data")}
		if size >= 124 {
			m.Event[0] = 0 // the event begins elsewhere, and byte 0 of it is in its length
		}
		got := slot.HandleMessage(m)
		if size < 124 && !got.OK() {
			t.Errorf("%d bytes: %v %q", size, got.Kind, got.Reason)
		}
		if after := slot.HandleMessage(order(cmdGrow, uint32(1))); !after.OK() {
			t.Errorf("after %d bytes: %v %q", size, after.Kind, after.Reason)
		}
		if m.Event[0] != cmdOverwrite && size < 124 {
			t.Error("the guest changed the event")
		}
	}
}

// A guest that grows beyond the limit gets -1; the host's memory is not its.
func TestMemoryLimit(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	slot := newSlot(t, load(t, engine, module(t, "puppet"),
		plugin.Settings{NeedBatch: true, Limits: plugin.Limits{MemoryPages: 64}}))
	slot.HandleMessage(order(cmdGrow, uint32(1000)))
	huge := &message.Message{Event: make([]byte, 5<<20)}
	if got := slot.HandleMessage(huge); got.Kind != message.ABI || !strings.Contains(got.Reason, "no room") {
		t.Errorf("an event above the limit: %v %q", got.Kind, got.Reason)
	}
	if got := slot.HandleMessage(order(cmdCount)); !got.OK() {
		t.Errorf("after it: %v %q", got.Kind, got.Reason)
	}
}

func results(rs ...abi.MessageResult) abi.BatchResult { return abi.BatchResult{Results: rs} }

func TestBatch(t *testing.T) {
	slot, _ := start(t, module(t, "puppet"))
	missing := message.Failed(message.Missing, "handle_batch returned no result for the message")
	for _, c := range []struct {
		name    string
		output  abi.BatchResult
		want    []message.Outcome
		records []string
	}{
		{"all", abi.BatchResult{Results: []abi.MessageResult{{}, {Index: 1}}, Records: []abi.Record{{Data: []byte("r")}, {}}}, make([]message.Outcome, 2), []string{"r", ""}},
		{"any order", results(abi.MessageResult{Index: 1}, abi.MessageResult{}), make([]message.Outcome, 2), nil},
		{
			"what becomes of them", results(abi.MessageResult{OnFailure: abi.OnFailureDrop}, abi.MessageResult{Index: 1, Status: abi.StatusFailed, Reason: "why", OnFailure: abi.OnFailureRetry}),
			[]message.Outcome{{Action: message.Drop}, {Kind: message.Handler, Reason: "why", Action: message.Retry}}, nil,
		},
		{"one missing", results(abi.MessageResult{Index: 1}), []message.Outcome{missing, {}}, nil},
		{"all missing", results(), []message.Outcome{missing, missing}, nil},
		{
			"one failed", results(abi.MessageResult{}, abi.MessageResult{Index: 1, Status: abi.StatusFailed, Reason: "why"}),
			[]message.Outcome{{}, message.Failed(message.Handler, "why")}, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			first := order(cmdEcho, string(c.output.Append(nil)))
			got := slot.HandleBatch(&message.Batch{Messages: []*message.Message{first, order(cmdCount)}})
			if diff := cmp.Diff(c.want, got.Outcomes); diff != "" {
				t.Error(diff)
			}
			var records []string
			for _, r := range got.Records {
				records = append(records, string(r.Data))
			}
			if !cmp.Equal(records, c.records) {
				t.Errorf("records %q, want %q", records, c.records)
			}
		})
	}
}

// An output that breaks the contract fails the whole batch, in order, and
// nothing of it is delivered.
func TestBatchRefused(t *testing.T) {
	for name, output := range map[string]abi.BatchResult{
		"twice":        results(abi.MessageResult{}, abi.MessageResult{}),
		"out of range": results(abi.MessageResult{}, abi.MessageResult{Index: 2}),
		"far away":     results(abi.MessageResult{Index: 1 << 31}),
	} {
		t.Run(name, func(t *testing.T) {
			slot, _ := start(t, module(t, "puppet"))
			output.Records = []abi.Record{{Data: []byte("never")}}
			first := order(cmdEcho, string(output.Append(nil)))
			got := slot.HandleBatch(&message.Batch{Messages: []*message.Message{first, order(cmdCount)}})
			if len(got.Outcomes) != 2 || got.Outcomes[0].Kind != message.ABI || got.Outcomes[1].Kind != message.ABI {
				t.Errorf("outcomes %+v", got.Outcomes)
			}
			if len(got.Records) > 0 {
				t.Errorf("records of a refused output: %v", got.Records)
			}
			if next := slot.HandleMessage(order(cmdCount)); string(next.Data) != "\x01" {
				t.Errorf("the next message met a discarded instance: %+v", next)
			}
		})
	}
}

// The example of abi/SPEC.md is the module that these tests run, and it works.
func TestSpecExample(t *testing.T) {
	slot, _ := start(t, module(t, "spec"))
	got := slot.HandleMessage(&message.Message{Event: []byte("any")})
	if !got.OK() || !got.SetBatcher || got.Batcher != "audit" {
		t.Errorf("handle_message: %+v", got)
	}
	for _, n := range []int{1, 2, 128} {
		b := &message.Batch{Batcher: "audit", Key: "k", Trigger: message.TriggerTimeout}
		for range n {
			b.Messages = append(b.Messages, &message.Message{Event: make([]byte, 200), Data: []byte("d"), Attempt: 1})
		}
		result := slot.HandleBatch(b)
		for i, o := range result.Outcomes {
			if !o.OK() {
				t.Errorf("message %d of %d: %+v", i, n, o)
			}
		}
		if len(result.Outcomes) != n || len(result.Records) != 1 || string(result.Records[0].Data) != "done" {
			t.Errorf("batch of %d: %+v", n, result)
		}
	}
}

// Slots share nothing: each counts for itself.
func TestSlotsAreApart(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	p := load(t, engine, module(t, "puppet"), plugin.Settings{NeedBatch: true})
	a, b := newSlot(t, p), newSlot(t, p)
	for range 5 {
		a.HandleMessage(order(cmdCount))
	}
	if got := b.HandleMessage(order(cmdCount)); string(got.Data) != "\x01" {
		t.Errorf("a slot saw another's state: %q", got.Data)
	}
	if err := p.Close(t.Context()); err == nil {
		t.Error("a plugin was closed under its slots")
	}
}

func TestTeardownTraps(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	p := load(t, engine, puppet(t, "x_trap", abi.ExportTeardown), plugin.Settings{NeedBatch: true})
	slot, err := p.NewSlot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := slot.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "teardown") {
		t.Errorf("close: %v", err)
	}
}

// The data that messages keep is less than an allocation for each.
func TestHandleMessageAllocates(t *testing.T) {
	slot, _ := start(t, module(t, "puppet"))
	for name, o := range map[string]*message.Message{
		"nothing changed": order(cmdEcho, ""),
		"new data":        order(cmdEcho, frame(abi.MessageResult{Data: []byte(strings.Repeat("x", 100))})),
	} {
		if n := testing.AllocsPerRun(1000, func() { slot.HandleMessage(o) }); n > 0 {
			t.Errorf("%s: %v allocations a message, want none", name, n)
		}
	}
}
