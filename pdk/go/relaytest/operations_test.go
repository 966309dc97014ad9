package relaytest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	relay "github.com/relayhost/relayhost/pdk/go"
	"github.com/relayhost/relayhost/pdk/go/failed"
	"github.com/relayhost/relayhost/pdk/go/prepare"
	"github.com/relayhost/relayhost/pdk/go/relaytest"
)

func TestOneToMany(t *testing.T) {
	buffer := []byte("one")
	got := relaytest.Message(t, func(m *relay.Message) error {
		m.SetData([]byte("all"))
		m.SetBatcher("default")
		m.Emit(nil)
		m.Emit(buffer).SetBatcher("lines\xff").SetBatchKey("k").Flush()
		copy(buffer, "two")
		m.Emit(buffer)
		m.Emit([]byte{}).SetBatchKey("")
		return nil
	}, event)
	if got.Err != nil || string(got.Data) != "all" || len(got.Outputs) != 4 {
		t.Fatalf("got %+v", got)
	}
	for i, want := range []relaytest.Result{
		{Data: []byte("all"), Batcher: "default"},
		{Data: []byte("one"), Batcher: "lines\ufffd", BatchKey: "k", Flush: true},
		{Data: []byte("two"), Batcher: "default"},
		{Data: []byte{}, Batcher: "default"},
	} {
		o := got.Outputs[i]
		if string(o.Data) != string(want.Data) || o.Batcher != want.Batcher || o.BatchKey != want.BatchKey || o.Flush != want.Flush || o.Event != event {
			t.Errorf("output %d: %+v, want %+v", i, o, want)
		}
	}
	batch := relaytest.Batch(t, func(b *relay.Batch) error {
		for _, m := range b.Messages() {
			b.Emit(m.Data())
		}
		return nil
	}, got.Outputs...)
	if !slices.Equal(batch.Records, []string{"all", "one", "two", ""}) {
		t.Errorf("records %q", batch.Records)
	}
}

// A message that fails makes none, and none is made elsewhere.
func TestNoOutputs(t *testing.T) {
	got := relaytest.Message(t, func(m *relay.Message) error {
		m.Emit([]byte("lost"))
		return errors.New("why")
	}, event)
	if got.Err == nil || got.Outputs != nil {
		t.Errorf("got %+v", got)
	}
	emit := func(messages []*relay.Message) error {
		messages[1].Emit([]byte("lost")).SetBatcher("b").SetBatchKey("k").Flush()
		return nil
	}
	two := []relaytest.Result{{Event: event}, {Event: event}}
	prepared := relaytest.Prepare(t, emit, two...)
	if prepared[0].Err != nil || prepared[1].Err == nil || !strings.Contains(prepared[1].Err.Error(), "Message.Emit") {
		t.Errorf("prepared %+v", prepared)
	}
	batch := relaytest.Batch(t, func(b *relay.Batch) error { return emit(b.Messages()) }, two...)
	if batch.Errs[0] != nil || batch.Errs[1] == nil {
		t.Errorf("batch %+v", batch)
	}
}

// A batch key that the host would refuse, and the instance with it, fails its
// message only.
func TestLongBatchKey(t *testing.T) {
	for name, set := range map[string]func(*relay.Message, string){
		"message": func(m *relay.Message, key string) { m.SetBatchKey(key) },
		"output":  func(m *relay.Message, key string) { m.Emit(nil).SetBatchKey(key) },
	} {
		for size, ok := range map[int]bool{1024: true, 1025: false, 1 << 20: false} {
			got := relaytest.Message(t, func(m *relay.Message) error { set(m, strings.Repeat("k", size)); return nil }, event)
			if (got.Err == nil) != ok || !ok && !strings.Contains(got.Err.Error(), "the limit is 1024") {
				t.Errorf("%s: a key of %d bytes: %v", name, size, got.Err)
			}
		}
	}
}

func TestOnFailure(t *testing.T) {
	for _, err := range []error{nil, errors.New("why")} {
		got := relaytest.Message(t, func(m *relay.Message) error { m.OnFailure(relay.DeadLetter); return err }, event)
		if got.OnFailure != relay.DeadLetter || (got.Err == nil) != (err == nil) {
			t.Errorf("got %+v", got)
		}
	}
}

func TestPrepare(t *testing.T) {
	prepared := relaytest.Prepare(t, func(messages []*relay.Message) error {
		for _, m := range messages {
			m.SetData([]byte(strings.ToUpper(m.Name())))
			m.SetBatcher("b")
		}
		messages[1].OnFailure(relay.Drop)
		messages[1].Fail(relay.Retryable(errors.New("why")))
		return nil
	}, relaytest.Result{Event: event}, relaytest.Result{Event: event, Attempt: 2})
	if p := prepared[0]; p.Err != nil || string(p.Data) != "USER.CREATED" || p.Batcher != "b" {
		t.Errorf("got %+v", p)
	}
	if p := prepared[1]; p.Err == nil || !p.Retryable || p.OnFailure != relay.Drop || p.Data != nil || p.Attempt != 2 {
		t.Errorf("got %+v", p)
	}
	got := relaytest.Retry(t, func(m *relay.Message) error { m.SetData(append(m.Data(), '!')); return nil }, prepared[0])
	if string(got.Data) != "USER.CREATED!" || got.Batcher != "b" {
		t.Errorf("got %+v", got)
	}
	all := relaytest.Prepare(t, func([]*relay.Message) error { return errors.New("all of it") }, prepared...)
	if all[0].Err == nil || all[1].Err == nil || all[1].Err.Error() != "all of it" {
		t.Errorf("got %+v", all)
	}
}

func TestFailed(t *testing.T) {
	handler := func(f *relay.Failed) error {
		switch f.Kind() {
		case "trap":
			f.OnFailure(relay.DeadLetter)
		case "sink":
			f.OnFailure(relay.Drop)
			return errors.New("cannot say")
		}
		if f.ID() != "7ea8" || string(f.EventData()) != `{"n": 1}` || f.Reason() != "why" || f.Attempt() != 3 {
			t.Errorf("read %q %q %q, attempt %d", f.ID(), f.EventData(), f.Reason(), f.Attempt())
		}
		return nil
	}
	failure := func(kind string) relaytest.Failure {
		return relaytest.Failure{Event: event, Attempt: 3, Kind: kind, Reason: "why"}
	}
	got := relaytest.Failed(t, handler, failure(""), failure("trap"), failure("sink"), failure("handler"))
	if want := []relay.OnFailure{relay.AsConfigured, relay.DeadLetter, relay.AsConfigured, relay.AsConfigured}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What the packages of the two handlers register is what is run by default, and
// without a handler nothing changes.
func TestRegistered(t *testing.T) {
	t.Cleanup(func() { prepare.Messages(nil); failed.Handle(nil) })
	one := relaytest.Result{Event: event}
	if got := relaytest.Prepare(t, nil, one); got[0].Err != nil || got[0].Data != nil {
		t.Errorf("got %+v", got)
	}
	if got := relaytest.Failed(t, nil, relaytest.Failure{Event: event}); got[0] != relay.AsConfigured {
		t.Errorf("got %v", got)
	}
	prepare.Messages(func(messages []*relay.Message) error { messages[0].SetBatcher("b"); return nil })
	failed.Handle(func(f *relay.Failed) error { f.OnFailure(relay.Retry); return nil })
	if got := relaytest.Prepare(t, nil, one); got[0].Batcher != "b" {
		t.Errorf("got %+v", got)
	}
	if got := relaytest.Failed(t, nil, relaytest.Failure{Event: event}); got[0] != relay.Retry {
		t.Errorf("got %v", got)
	}
}
