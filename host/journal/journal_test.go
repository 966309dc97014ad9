package journal_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/message"
)

var never = make(chan struct{})

// events makes n messages, from position first on.
func events(first, n int) []*message.Message {
	all := make([]*message.Message, n)
	for i := range all {
		all[i] = &message.Message{
			ID: fmt.Sprintf("event-%d", first+i), Position: int64(first + i), Event: fmt.Appendf(nil, "the event at %d", first+i),
		}
	}
	return all
}

func ids(messages []*message.Message) []string {
	var all []string
	for _, m := range messages {
		all = append(all, m.ID)
	}
	return all
}

func open(t *testing.T, dir string, o journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func inbox(t *testing.T, j *journal.Journal, name string) *journal.Inbox {
	t.Helper()
	i, err := j.Inbox(journal.InboxOptions{Pipeline: name, Remember: true})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func appendAll(t *testing.T, i *journal.Inbox, messages []*message.Message) []*message.Message {
	t.Helper()
	if err := i.Append(context.Background(), never, messages); err != nil {
		t.Fatal(err)
	}
	return messages
}

// settle ends messages with an outcome.
func settle(i *journal.Inbox, o message.Outcome, messages ...*message.Message) {
	for _, m := range messages {
		m.Settle(o)
	}
	i.Settle(messages)
}

func failed(reason string) message.Outcome {
	o := message.Failed(message.Handler, reason)
	o.Action = message.DeadLetter
	return o
}

func recovered(t *testing.T, i *journal.Inbox) []*message.Message {
	t.Helper()
	var all []*message.Message
	for {
		messages, err := i.Recover(7)
		if err != nil {
			t.Fatal(err)
		}
		if len(messages) == 0 {
			return all
		}
		all = append(all, messages...)
	}
}

func letters(t *testing.T, j *journal.Journal, f journal.Filter) []journal.DeadLetter {
	t.Helper()
	var all []journal.DeadLetter
	for d, err := range j.DeadLetters(f) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

func TestPlain(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, journal.Options{})
	in := inbox(t, j, "a")
	one := appendAll(t, in, events(1, 10))
	two := appendAll(t, in, events(11, 10))
	settle(in, message.Outcome{}, one...)
	settle(in, message.Outcome{}, two[0], two[2])
	settle(in, failed("no"), two[1])
	if p, ok := in.Lowest(); !ok || p != 14 {
		t.Errorf("lowest %d %v", p, ok)
	}
	in.Forget(10)
	s := j.Stats().Pipelines["a"]
	if s.Unsettled != 7 || s.DeadLetters != 1 || s.Floor != 10 {
		t.Errorf("%+v", s)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir, journal.Options{})
	if got := j.Stats().Pipelines["a"]; got != s {
		t.Errorf("%+v, want %+v", got, s)
	}
	in = inbox(t, j, "a")
	select {
	case <-in.Recoverable():
	default:
		t.Error("nothing to recover")
	}
	got := recovered(t, in)
	if !slices.Equal(ids(got), ids(two[3:])) {
		t.Errorf("recovered %v", ids(got))
	}
	marks, err := in.Remembered()
	if err != nil || len(marks) != 10 || marks[0].ID != "event-11" {
		t.Errorf("%v %v", marks, err)
	}
	dead := letters(t, j, journal.Filter{})
	if len(dead) != 1 || dead[0].EventID != "event-12" || dead[0].Reason != "no" {
		t.Errorf("%+v", dead)
	}
	if err := j.Forwarded([]string{dead[0].ID}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, err := j.Retry(journal.Filter{}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	back := recovered(t, in)
	if !slices.Equal(ids(back), []string{"event-12"}) {
		t.Errorf("put back %v", ids(back))
	}
	settle(in, message.Outcome{}, append(got, back...)...)
	if s := j.Stats().Pipelines["a"]; s.Unsettled != 0 || s.UnsettledBytes != 0 || s.DeadLetters != 0 {
		t.Errorf("%+v", s)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}
