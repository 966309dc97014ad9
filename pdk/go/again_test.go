package relay_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/abi"
	relay "github.com/relayhost/relayhost/pdk/go"
	"github.com/relayhost/relayhost/proto/eventrelay"
)

// input is a message's frame.
func input(t testing.TB, name string) abi.Message {
	t.Helper()
	event, err := proto.Marshal(&eventrelay.Event{Id: "7ea8e8b4", Name: name, Topic: "users", Data: guide, Offset: 7})
	if err != nil {
		t.Fatal(err)
	}
	return abi.Message{Event: event, Attempt: 1}
}

// everything does to a message all that a handler can.
func everything(m *relay.Message) {
	m.SetData([]byte("data"))
	m.SetBatcher("batcher")
	m.SetBatchKey("key")
	m.Flush()
	m.OnFailure(relay.Drop)
}

// A message has nothing of the one before, whatever was done to that.
func TestNothingStays(t *testing.T) {
	var fresh bool
	handler := func(m *relay.Message) error {
		if m.Name() != "second" {
			everything(m)
			m.Emit([]byte("output")).SetBatcher("other").SetBatchKey("key").Flush()
			if m.Name() == "fails" {
				return errors.New("failed")
			}
			return nil
		}
		fresh = string(m.Data()) == guide && m.Attempt() == 1
		return nil
	}
	p := new(relay.Plugin)
	p.HandleMessage(handler)
	for _, first := range []string{"first", "fails"} {
		m := input(t, first)
		m.Data, m.Attempt = []byte("put before"), 3
		if answer := p.ServeMessage(m.Append(nil)); len(answer) == 0 {
			t.Fatal("the first message is left as it was")
		}
		second := input(t, "second")
		if answer := p.ServeMessage(second.Append(nil)); len(answer) != 0 || !fresh {
			t.Errorf("after %q: the answer is %q, fresh %v", first, answer, fresh)
		}
	}
}

// A batch and a chunk have nothing of those before, be they longer or shorter.
func TestNothingStaysInBatches(t *testing.T) {
	p := new(relay.Plugin)
	p.HandleBatch(func(b *relay.Batch) error {
		for _, m := range b.Messages() {
			if m.Name() == "first" {
				m.Emit(nil) // fails it
				m.OnFailure(relay.DeadLetter)
			}
		}
		return nil
	})
	p.PrepareMessages(func(chunk []*relay.Message) error {
		for _, m := range chunk {
			if m.Name() == "first" {
				everything(m)
			}
		}
		return nil
	})
	batch := func(name string, n int) []byte {
		b := abi.Batch{Batcher: name, BatchKey: name, Partition: 3}
		for range n {
			b.Messages = append(b.Messages, input(t, name))
		}
		return b.Append(nil)
	}
	for _, size := range []int{1, 3, 200} {
		for name, serve := range map[string]func([]byte) []byte{"batch": p.ServeBatch, "chunk": p.ServePrepare} {
			serve(batch("first", 3))
			answer, err := abi.ParseBatchResult(serve(batch("second", size)))
			if err != nil || len(answer.Results) != size {
				t.Fatalf("%s of %d: %d results, %v", name, size, len(answer.Results), err)
			}
			for i, r := range answer.Results {
				if want := (abi.MessageResult{Index: uint32(i)}); r.Index != want.Index || r.Size() != want.Size() { //nolint:gosec // a position
					t.Errorf("%s of %d: %+v", name, size, r)
				}
			}
		}
	}
}

// An event that cannot be read fails its message before a handler sees it, and
// the others of a batch go on.
func TestUnreadable(t *testing.T) {
	var seen []string
	p := new(relay.Plugin)
	p.HandleMessage(func(m *relay.Message) error { seen = append(seen, m.Name()); return nil })
	p.HandleBatch(func(b *relay.Batch) error {
		for _, m := range b.Messages() {
			seen = append(seen, m.Name())
		}
		return nil
	})
	good := input(t, "good")
	for _, event := range []string{"\x0b", "\x22\x05abc", "\x22\x80", string(good.Event) + "\x80"} {
		bad := abi.Message{Event: []byte(event), Data: []byte("put before"), Attempt: 1}
		r, err := abi.ParseMessageResult(p.ServeMessage(bad.Append(nil)))
		if err != nil || r.Status != abi.StatusFailed || !strings.Contains(r.Reason, abi.ErrFrame.Error()) {
			t.Errorf("%q: %+v, %v", event, r, err)
		}
		answer, err := abi.ParseBatchResult(p.ServeBatch(abi.Batch{Messages: []abi.Message{bad, good}}.Append(nil)))
		if err != nil || len(answer.Results) != 2 || answer.Results[0].Status != abi.StatusFailed || answer.Results[1].Status != abi.StatusOK {
			t.Errorf("%q in a batch: %+v, %v", event, answer, err)
		}
	}
	if got := strings.Join(seen, " "); got != "good good good good" {
		t.Errorf("handlers have seen %q", got)
	}
	if r, err := abi.ParseMessageResult(p.ServeMessage([]byte("\x0b"))); err != nil || r.Status != abi.StatusFailed {
		t.Errorf("a frame that is none: %+v, %v", r, err)
	}
	if answer := p.ServeBatch([]byte("\x22\x02\x0a\x05")); answer != nil {
		t.Errorf("a batch that is none: %q", answer)
	}
}

// A message costs no allocation but the handler's own, and neither does one of
// a batch.
func TestServeAllocations(t *testing.T) {
	data := []byte("BILL")
	p := new(relay.Plugin)
	p.HandleMessage(func(m *relay.Message) error {
		if !relay.JSON(m.Data()).Get("person", "first_name").Exists() {
			t.Error("the data is not there")
		}
		m.SetData(data)
		return nil
	})
	p.HandleBatch(func(b *relay.Batch) error { b.Emit(b.Messages()[0].Data()); return nil })
	one := input(t, "user.created").Append(nil)
	batch := abi.Batch{}
	for range 100 {
		batch.Messages = append(batch.Messages, input(t, "user.created"))
	}
	many := batch.Append(nil)
	if n := testing.AllocsPerRun(100, func() { p.ServeMessage(one) }); n > 0 {
		t.Errorf("%v allocations for a message", n)
	}
	if n := testing.AllocsPerRun(100, func() { p.ServeBatch(many) }); n > 1 {
		t.Errorf("%v allocations for a batch of 100", n)
	}
}
