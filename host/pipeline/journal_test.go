package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
)

// journal is one in memory. Its entries are named as the source's messages are.
type journal struct {
	mu      sync.Mutex
	left    []*message.Message // to be recovered
	kept    map[string]bool    // appended, and not settled
	settled []string
	full    chan struct{} // Admit waits until it is closed
	took    time.Duration // of Append
	hung    chan struct{} // Append waits until it is closed, if there is one
	broken  error         // what Append returns
	wake    chan struct{}
}

func newJournal(left ...int) *journal {
	j := &journal{kept: map[string]bool{}, took: time.Millisecond, full: make(chan struct{}), wake: make(chan struct{}, 1)}
	close(j.full)
	j.put(left...)
	return j
}

// put leaves numbers to be recovered.
func (j *journal) put(left ...int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, n := range left {
		id := strconv.Itoa(n)
		j.left = append(j.left, &message.Message{ID: id, Event: []byte(id)})
		j.kept[id] = true
	}
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

func (j *journal) Admit(stop <-chan struct{}) bool {
	select {
	case <-j.full:
		return true
	case <-stop:
		return false
	}
}

func (j *journal) Append(_ context.Context, _ <-chan struct{}, messages []*message.Message) error {
	time.Sleep(j.took) // as a disk
	j.mu.Lock()
	hung := j.hung
	j.mu.Unlock()
	if hung != nil {
		<-hung
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return j.broken
	}
	for _, m := range messages {
		j.kept[m.ID] = true
	}
	return nil
}

func (j *journal) Recover(n int) ([]*message.Message, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n = min(n, len(j.left))
	messages := j.left[:n:n]
	j.left = j.left[n:]
	return messages, nil
}

func (j *journal) Recoverable() <-chan struct{} { return j.wake }

func (j *journal) Settle(messages []*message.Message) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, m := range messages {
		delete(j.kept, m.ID)
		j.settled = append(j.settled, m.ID)
	}
}

// has reports whether a message was appended and has not settled.
func (j *journal) has(id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.kept[id]
}

func TestWhatWasLeftComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, j := newSource(), newJournal(numbers(1, 25)...)
		in.push(numbers(26, 30)...)
		var order []int
		p := &plugin{message: func(m *message.Message) message.Patch {
			if !j.has(m.ID) {
				t.Errorf("message %s is handled and not in the journal", m.ID)
			}
			order = append(order, number(m))
			return message.Patch{}
		}}
		c := shape(5, 10)
		c.Journal = j
		r := start(t, c, in, p)
		time.Sleep(time.Second)
		j.put(31)
		time.Sleep(time.Second)
		r.drain(p)
		if !slices.Equal(order, numbers(1, 31)) {
			t.Errorf("handled %v", order)
		}
		if len(j.settled) != 31 || len(j.kept) != 0 {
			t.Errorf("the journal settled %v and keeps %v", j.settled, j.kept)
		}
		if b := r.Books(); b.Received != 31 || b.Recovered != 26 {
			t.Errorf("books %+v", b)
		}
	})
}

// What is put back is handled at once, though the source has nothing and all that
// is asked for is promised to a pull of it.
func TestWhatIsPutBackDoesNotWaitForTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, j, p := newSource(), newJournal(), &plugin{}
		c := shape(5, 10)
		c.Journal, c.Producer.Concurrency = j, 3
		r := start(t, c, in, p)
		time.Sleep(time.Hour)
		j.put(numbers(1, 100)...)
		time.Sleep(time.Second)
		if got := r.Books().SettledOK(); got != 100 {
			t.Errorf("%d of 100 are handled", got)
		}
		in.push(101)
		time.Sleep(time.Second)
		if got := r.Books().SettledOK(); got != 101 {
			t.Error("nothing is pulled any more")
		}
		r.drain(p)
	})
}

func TestNothingIsPulledThatTheJournalHasNoRoomFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, j, p := newSource(), newJournal(), &plugin{}
		j.full = make(chan struct{})
		in.push(1, 2, 3)
		c := shape(5, 10)
		c.Journal = j
		r := start(t, c, in, p)
		time.Sleep(time.Hour)
		if in.pulled() != 0 {
			t.Errorf("pulled %d", in.pulled())
		}
		close(j.full)
		synctest.Wait()
		time.Sleep(time.Second)
		if in.pulled() != 3 {
			t.Errorf("pulled %d once there was room", in.pulled())
		}
		j.mu.Lock()
		j.full = make(chan struct{})
		j.mu.Unlock()
		r.drain(p)
	})
}

func TestWhatCannotBeKeptIsHandledAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, j, p := newSource(), newJournal(), &plugin{}
		j.broken = errors.New("disk full")
		in.push(1, 2)
		c := shape(5, 10)
		var log bytes.Buffer
		c.Journal, c.Logger = j, slog.New(slog.NewTextHandler(&log, nil))
		r := start(t, c, in, p)
		time.Sleep(time.Second)
		r.drain(p)
		if r.Books().SettledOK() != 2 || !strings.Contains(log.String(), "disk full") {
			t.Errorf("books %+v, log %s", r.Books(), &log)
		}
	})
}

func TestAnUnreadableJournalFailsThePipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := shape(5, 10)
		c.Journal = unreadable{newJournal()}
		pl, err := pipeline.New(c, newSource(), &plugin{})
		if err != nil {
			t.Fatal(err)
		}
		if err := pl.Run(t.Context()); !errors.Is(err, errBroken) {
			t.Errorf("ended with %v", err)
		}
	})
}

type unreadable struct{ *journal }

func (unreadable) Recover(int) ([]*message.Message, error) { return nil, errBroken }

func TestWhatTheDrainLeavesIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, j := newSource(), newJournal()
		p := &plugin{message: func(*message.Message) message.Patch {
			time.Sleep(time.Minute)
			return message.Patch{}
		}}
		in.push(1, 2)
		c := shape(0, 1)
		c.Journal, c.Shutdown = j, time.Second
		r := start(t, c, in, p)
		time.Sleep(time.Second)
		r.cancel()
		err := <-r.done
		unsettled, ok := errors.AsType[*pipeline.UnsettledError](err)
		if !ok || !unsettled.Kept || !strings.Contains(err.Error(), "hint: the journal has them") {
			t.Errorf("ended with %v", err)
		}
		if !j.has("1") {
			t.Error("the journal has given up message 1")
		}
		time.Sleep(time.Hour) // the abandoned handler
	})
}

// unlocking is a source that can be asked to unlock.
type unlocking struct {
	*source
	can      bool
	refuse   error
	unlocked []string
}

func (s *unlocking) CanUnlock() bool { return s.can }

func (s *unlocking) Unlock(_ context.Context, messages []*message.Message) error {
	for _, m := range messages {
		if s.refuse == nil {
			s.unlocked = append(s.unlocked, m.ID)
		}
	}
	return s.refuse
}

func TestUnlock(t *testing.T) {
	for _, c := range []struct {
		name                   string
		can                    bool
		refuse                 error
		unlocked, deadLettered int64
	}{
		{"is done where it can be", true, nil, 2, 0},
		{"falls back where it cannot", false, nil, 0, 2},
		{"falls back when it is refused", true, errBroken, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, j, p := &unlocking{source: newSource(), can: c.can, refuse: c.refuse}, newJournal(), &plugin{message: failing(message.Trap, 2, 4)}
				in.push(numbers(1, 5)...)
				config := shape(5, 10)
				config.Journal, config.Failures.OnFailure = j, message.Unlock
				pl, err := pipeline.New(config, in, p)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- pl.Run(ctx) }()
				time.Sleep(time.Second)
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
				b := pl.Books()
				if b.Unlocked != c.unlocked || b.DeadLettered != c.deadLettered || b.SettledTotal() != 5 || int64(len(in.unlocked)) != c.unlocked {
					t.Errorf("books %+v, unlocked %v", b, in.unlocked)
				}
				if len(j.kept) != 0 {
					t.Errorf("the journal keeps %v", j.kept)
				}
			})
		})
	}
}

func TestUnlockHasNoFallbackThatHalts(t *testing.T) {
	c := shape(5, 10)
	c.Processors.PartitionBy = byLastDigit
	c.Failures.OnFailure, c.Failures.Retry.Exhausted = message.Unlock, message.HaltPartition
	if _, err := pipeline.New(c, newSource(), &plugin{}); err == nil {
		t.Error("taken")
	}
	c.Failures.Retry.Exhausted = message.Unlock
	if _, err := pipeline.New(c, newSource(), &plugin{}); err == nil {
		t.Error("taken")
	}
}
