package host

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/message"
)

// buried is a journal with n dead letters.
func buried(t *testing.T, n int) *journal.Journal {
	t.Helper()
	j, err := journal.Open("j", journal.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	in, err := j.Inbox(journal.InboxOptions{Pipeline: "p"})
	if err != nil {
		t.Fatal(err)
	}
	messages := make([]*message.Message, n)
	for i := range messages {
		messages[i] = &message.Message{ID: "e"}
		messages[i].Begin()
	}
	if err := in.Append(t.Context(), nil, messages); err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		m.Settle(message.Outcome{Kind: message.Handler, Action: message.DeadLetter})
	}
	in.Settle(messages)
	return j
}

// TestForwarderStoppedAtWork stops a forwarder in the middle of a delivery: the
// last dead letters have their grace all the same.
func TestForwarderStoppedAtWork(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	sent := 0
	f := &forwarder{journal: buried(t, 3), pipeline: "p", log: slog.New(slog.DiscardHandler)}
	f.send = func(c context.Context, letters []ExportedLetter) error {
		if ctx.Err() == nil {
			cancel()
			<-c.Done()
			return c.Err()
		}
		sent += len(letters)
		return nil
	}
	f.run(ctx)
	if sent != 3 {
		t.Errorf("%d of 3 dead letters were forwarded", sent)
	}
}

// TestForwarderRefusedAgain has dead letters refused all the time: the first one
// must have its second chance all the same.
func TestForwarderRefusedAgain(t *testing.T) {
	long := time.Now().Add(-forwardAgain)
	f := &forwarder{journal: buried(t, 1), pipeline: "p", log: slog.New(slog.DiscardHandler), gaveUp: long}
	f.send = func(context.Context, []ExportedLetter) error { return backoff.Permanent(errors.New("no")) }
	if err := f.forward(t.Context(), make([]journal.DeadLetter, 1)); err != nil || !f.gaveUp.Equal(long) {
		t.Errorf("the first was given up at %v, now %v: %v", long, f.gaveUp, err)
	}
}
