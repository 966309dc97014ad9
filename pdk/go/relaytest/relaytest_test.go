package relaytest_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	relay "github.com/relayhost/relayhost/pdk/go"
	"github.com/relayhost/relayhost/pdk/go/relaytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var event = &relaytest.Event{
	Id: "7ea8", Name: "user.created", Topic: "users", Source: "MyApp", Data: `{"n": 1}`, GroupKey: "g",
	ReferenceKey: "r", TraceKey: "t", UserKey: "u", AnonymousKey: "a", PrevId: "p", Offset: 7,
	OccurredAt: "2026-01-02T03:04:05Z", AvailableAt: "2026-01-02T03:04:06Z",
	Context: map[string]string{"ip": "127.0.0.1"},
}

// A handler reads all that the event has.
func TestMessageReads(t *testing.T) {
	relaytest.Message(t, func(m *relay.Message) error {
		ip, ok := m.Context("ip")
		got := []string{
			m.ID(), m.Name(), m.Topic(), m.Source(), string(m.Data()), string(m.EventData()), m.GroupKey(), m.ReferenceKey(),
			m.TraceKey(), m.UserKey(), m.AnonymousKey(), m.PrevID(), m.OccurredAt(), m.AvailableAt(), ip,
		}
		want := []string{
			"7ea8", "user.created", "users", "MyApp", `{"n": 1}`, `{"n": 1}`, "g", "r", "t", "u", "a", "p",
			"2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z", "127.0.0.1",
		}
		if !slices.Equal(got, want) || !ok || m.Offset() != 7 || m.Attempt() != 1 || len(m.Event()) == 0 {
			t.Errorf("read %q", got)
		}
		return nil
	}, event)
}

func TestMessageWrites(t *testing.T) {
	got := relaytest.Message(t, func(m *relay.Message) error {
		m.SetData([]byte("BILL"))
		m.SetBatcher("audit")
		m.SetBatchKey("k\xff")
		m.Flush()
		return nil
	}, event)
	if string(got.Data) != "BILL" || got.Batcher != "audit" || got.BatchKey != "k\ufffd" || !got.Flush || got.Err != nil {
		t.Errorf("got %+v", got)
	}
	again := relaytest.Retry(t, func(m *relay.Message) error {
		if string(m.Data()) != "BILL" || m.Attempt() != 2 {
			return fmt.Errorf("data %q, attempt %d", m.Data(), m.Attempt())
		}
		m.SetData(nil)
		return nil
	}, relaytest.Result{Event: event, Data: got.Data, Attempt: 2})
	if again.Err != nil || again.Data == nil || len(again.Data) > 0 {
		t.Errorf("got %+v", again)
	}
}

func TestMessageFails(t *testing.T) {
	busy := errors.New("busy\xff")
	for _, c := range []struct {
		err       error
		retryable bool
	}{
		{busy, false},
		{relay.Retryable(busy), true},
		{fmt.Errorf("outer: %w", relay.Retryable(busy)), true},
		{errors.Join(errors.New("other"), relay.Retryable(busy)), true},
	} {
		got := relaytest.Message(t, func(m *relay.Message) error {
			m.SetData([]byte("lost"))
			return c.err
		}, event)
		want := strings.ToValidUTF8(c.err.Error(), "\ufffd")
		if got.Err == nil || got.Err.Error() != want || got.Retryable != c.retryable || got.Data != nil {
			t.Errorf("%v: got %+v", c.err, got)
		}
	}
	if relay.Retryable(nil) != nil {
		t.Error("no error became one")
	}
}

func TestBatch(t *testing.T) {
	first := relaytest.Message(t, func(m *relay.Message) error {
		m.SetData([]byte("one"))
		m.SetBatcher("audit")
		m.SetBatchKey("k")
		return nil
	}, event)
	got := relaytest.Batch(t, func(b *relay.Batch) error {
		if b.Batcher() != "audit" || b.Key() != "k" || b.Trigger() != relay.TriggerSize || len(b.Messages()) != 2 {
			t.Errorf("a batch of %d for %s/%s by %v", len(b.Messages()), b.Batcher(), b.Key(), b.Trigger())
		}
		for _, m := range b.Messages() {
			b.Emit(m.Data())
		}
		b.Messages()[1].Fail(errors.New("why"))
		return nil
	}, first, relaytest.Result{Event: event})
	if !slices.Equal(got.Records, []string{"one", `{"n": 1}`}) || got.Errs[0] != nil || got.Errs[1] == nil {
		t.Errorf("got %+v", got)
	}
	got = relaytest.Batch(t, func(b *relay.Batch) error {
		b.Emit([]byte("never"))
		return errors.New("all of it")
	}, first, first)
	if len(got.Records) > 0 || got.Errs[0] == nil || got.Errs[1].Error() != "all of it" {
		t.Errorf("got %+v", got)
	}
}

func TestConfigure(t *testing.T) {
	refuse := func(c relay.Config) error {
		_, err := c.JSON.Get("region").Text()
		return err
	}
	if err := relaytest.Configure(t, refuse, `{"region": "eu"}`); err != nil {
		t.Error(err)
	}
	if err := relaytest.Configure(t, refuse, `{}`); err == nil || err.Error() != "region is missing" {
		t.Errorf("got %v", err)
	}
}

// A plugin without the handler that is called says so.
func TestNoHandler(t *testing.T) {
	if got := relaytest.Message(t, nil, event); got.Err == nil || !strings.Contains(got.Err.Error(), "relay.HandleMessage") {
		t.Errorf("got %v", got.Err)
	}
	if got := relaytest.Batch(t, nil, relaytest.Result{Event: event}); got.Errs[0] == nil {
		t.Error("a batch without a handler")
	}
}

// What a handler is given may be hostile: no frame makes the kit panic.
func FuzzServe(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x0a\x02\x0a\x00\x18\x01"))
	f.Add([]byte("\x22\x04\x0a\x02\x0a\x00"))
	p := new(relay.Plugin)
	p.HandleMessage(func(m *relay.Message) error { _, _ = m.Context(m.ID()); m.SetData(m.EventData()); return nil })
	p.HandleBatch(func(b *relay.Batch) error { b.Emit([]byte(b.Key())); return nil })
	p.PrepareMessages(func(messages []*relay.Message) error {
		for _, m := range messages {
			m.SetBatchKey(m.Name())
		}
		return nil
	})
	p.HandleFailed(func(f *relay.Failed) error { f.OnFailure(relay.Drop); return errors.New(f.Kind() + f.Reason()) })
	f.Add([]byte("\x22\x0d\x0a\x00\x18\x01\x22\x04trap\x2a\x01?"))
	before := relay.LogTo(io.Discard)
	f.Cleanup(func() { relay.LogTo(before) })
	f.Fuzz(func(_ *testing.T, frame []byte) {
		p.ServeMessage(frame)
		p.ServeBatch(frame)
		p.ServePrepare(frame)
		p.ServeFailed(frame)
		p.ServeConfigure(frame)
	})
}
