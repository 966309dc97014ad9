package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/message"
)

// large makes n messages of 1 kB.
func large(first, n int) []*message.Message {
	all := events(first, n)
	for _, m := range all {
		m.Event = bytes.Repeat([]byte("x"), 1000)
	}
	return all
}

// logged is a logger whose lines a test reads.
type logged struct {
	mu    sync.Mutex
	lines []string
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(p))
	return len(p), nil
}

func (l *logged) count(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// until waits for something that other goroutines bring about.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func TestFull(t *testing.T) {
	log := &logged{}
	j := open(t, "j", journal.Options{FS: vfs.NewMem(), MaxBytes: 15_000, Logger: slog.New(slog.NewTextHandler(log, nil))})
	in := inbox(t, j, "a")
	if in.Admit(closedChannel()) {
		t.Error("admitted after stop")
	}
	one, two := appendAll(t, in, large(1, 10)), appendAll(t, in, large(11, 10))
	if s := j.Stats(); !s.Full || s.Bytes < 20_000 {
		t.Errorf("%+v", s)
	}
	admitted := make(chan bool, 1)
	go func() { admitted <- in.Admit(never) }()
	until(t, "it says that it is full", func() bool { return log.count("the journal is full") == 1 })
	select {
	case <-admitted:
		t.Error("admitted while full")
	default:
	}
	settle(in, failed("no"), one...) // a dead letter needs room too
	if !j.Stats().Full {
		t.Error("dead letters do not count")
	}
	settle(in, message.Outcome{}, two...)
	if !<-admitted {
		t.Error("not admitted when there was room")
	}
	until(t, "it says that there is room", func() bool { return log.count("has room again") == 1 })
	if n, err := j.Purge(journal.Filter{}); n != 10 || err != nil {
		t.Errorf("purged %d: %v", n, err)
	}
	in.Forget(20)
	if s := j.Stats(); s.Bytes != 0 {
		t.Errorf("%d bytes of nothing", s.Bytes)
	}
}

// TestRememberedIsNoReasonToWait settles all of what was pulled: the source drops
// what is remembered when it pulls, so it must be let.
func TestRememberedIsNoReasonToWait(t *testing.T) {
	j := open(t, "j", journal.Options{FS: vfs.NewMem(), MaxBytes: 3000})
	in := inbox(t, j, "a")
	for n := range 10 {
		settle(in, message.Outcome{}, appendAll(t, in, events(1+100*n, 100))...)
	}
	letters(t, j, journal.Filter{}) // flushes
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if !in.Admit(ctx.Done()) {
		t.Errorf("nothing may be pulled: %+v", j.Stats())
	}
}

func closedChannel() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// TestSparse leaves one message of each pull: what they hold is not the room of
// all.
func TestSparse(t *testing.T) {
	mem := vfs.NewMem()
	j := open(t, "j", journal.Options{FS: mem})
	in := inbox(t, j, "a")
	var stuck []*message.Message
	for pull := range 20 {
		pulled := appendAll(t, in, large(pull*20+1, 20))
		settle(in, message.Outcome{}, pulled[:7]...)
		settle(in, message.Outcome{}, pulled[8:]...)
		stuck = append(stuck, pulled[7])
	}
	in.Forget(1000)
	for range 3 {
		letters(t, j, journal.Filter{}) // flushes
	}
	if s := j.Stats(); s.Bytes > 60_000 || s.Pipelines["a"].Unsettled != 20 {
		t.Errorf("%d bytes for %d messages", s.Bytes, s.Pipelines["a"].Unsettled)
	}
	settle(in, message.Outcome{}, stuck[:5]...) // their places are still known
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, "j", journal.Options{FS: mem})
	if got := recovered(t, inbox(t, j, "a")); !slices.Equal(ids(got), ids(stuck[5:])) {
		t.Errorf("recovered %v", ids(got))
	}
}

// syncs counts what is synced in a store's logs.
type syncs struct {
	logs  atomic.Int64
	delay time.Duration
}

// MaybeError is for errorfs.
func (s *syncs) MaybeError(op errorfs.Op) error {
	if strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
		s.logs.Add(1)
		time.Sleep(s.delay)
	}
	return nil
}

func (s *syncs) String() string { return "syncs" }

// TestGroupCommit has many pipelines append at once: they share commits.
func TestGroupCommit(t *testing.T) {
	const pipelines, pulls = 32, 5
	for fsync, most := range map[journal.Fsync]int64{journal.Always: pipelines * pulls / 2, journal.Off: 1} {
		s := &syncs{delay: time.Millisecond}
		j := open(t, "j", journal.Options{FS: errorfs.Wrap(vfs.NewMem(), s), Fsync: fsync})
		before := s.logs.Load()
		var wg sync.WaitGroup
		for n := range pipelines {
			in := inbox(t, j, fmt.Sprint("pipeline-", n))
			wg.Go(func() {
				for pull := range pulls {
					if err := in.Append(context.Background(), never, events(pull*2, 2)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if got := s.logs.Load() - before; got > most+3 { // a new log now and then
			t.Errorf("%s: %d syncs for %d pulls", fsync, got, pipelines*pulls)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTrouble looks at a journal whose disk is full.
func TestTrouble(t *testing.T) {
	if inChild(t) {
		return
	}
	f, log := &faults{errno: syscall.ENOSPC}, &logged{}
	o := journal.Options{FS: errorfs.Wrap(vfs.NewMem(), f), Logger: slog.New(slog.NewTextHandler(log, nil))}
	j := open(t, "j", o)
	in := inbox(t, j, "a")
	first := appendAll(t, in, events(1, 10))
	f.arm(0, 1<<40)
	waiting := make(chan error, 1)
	second := events(11, 10)
	go func() { waiting <- in.Append(context.Background(), never, second) }()
	until(t, "the disk is full", func() bool { return j.Stats().Err != nil })
	if err := j.Stats().Err; !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "\nhint: ") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	third := events(21, 10)
	if err := in.Append(ctx, never, third); !errors.Is(err, context.Canceled) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a pull that was given up: %v", err)
	}
	if third[0].Entry != (message.Entry{}) {
		t.Error("a message that was not kept has a place")
	}
	if err := in.Append(context.Background(), closedChannel(), third); !errors.Is(err, journal.ErrStopped) {
		t.Errorf("a pull that was stopped: %v", err)
	}
	settle(in, message.Outcome{}, first[:5]...)
	settle(in, failed("no"), third[0]) // is kept aside even so
	if _, err := j.Purge(journal.Filter{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("purge: %v", err)
	}
	if s := j.Stats().Pipelines["a"]; s.Unsettled != 15 || s.DeadLetters != 1 {
		t.Errorf("%+v", s)
	}
	f.disarm()
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	if !in.Admit(never) || log.count("cannot be used") != 1 || log.count("can be used again") != 1 {
		t.Errorf("logged %v", log.lines)
	}
	letters(t, j, journal.Filter{}) // flushes
	f.arm(0, 1<<40)
	settle(in, message.Outcome{}, first[5])
	if err := j.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("close: %v", err)
	}
	f.disarm()
	j = open(t, "j", o)
	if s := j.Stats().Pipelines["a"]; s.Unsettled < 14 || s.Unsettled > 15 || s.DeadLetters != 1 {
		t.Errorf("%+v", s)
	}
}

func TestFilters(t *testing.T) {
	j := open(t, "j", journal.Options{FS: vfs.NewMem()})
	a, b := inbox(t, j, "a"), inbox(t, j, "b")
	if _, err := j.Inbox(journal.InboxOptions{Pipeline: "a"}); err == nil {
		t.Error("a second inbox")
	}
	trap := failed("unreachable")
	trap.Kind, trap.Trace = message.Trap, "at f"
	for n, m := range appendAll(t, a, events(1, 6)) {
		m.Attempt, m.Plugin = 3, "abc"
		settle(a, []message.Outcome{failed("no"), trap}[n%2], m)
	}
	settle(b, failed("no"), appendAll(t, b, events(7, 1))...)
	all := letters(t, j, journal.Filter{})
	if len(all) != 7 || !slices.IsSortedFunc(all, func(a, b journal.DeadLetter) int { return strings.Compare(a.ID, b.ID) }) {
		t.Fatalf("%+v", all)
	}
	if d := all[1]; d.Trace != "at f" || d.Attempts != 3 || d.Plugin != "abc" || all[6].Plugin != "" || string(d.Event) != "the event at 2" ||
		d.Received.IsZero() || d.Failed.Before(d.Received) || d.Position != 2 {
		t.Errorf("%+v", d)
	}
	if err := j.Forwarded([]string{all[0].ID, "999"}, time.Unix(5, 0)); err != nil {
		t.Fatal(err)
	}
	kind := message.Trap
	for _, c := range []struct {
		f    journal.Filter
		want int
	}{
		{journal.Filter{}, 7},
		{journal.Filter{Limit: 2}, 2},
		{journal.Filter{Pipeline: "a"}, 6},
		{journal.Filter{Pipeline: "c"}, 0},
		{journal.Filter{Kind: &kind}, 3},
		{journal.Filter{Plugin: "abc"}, 6},
		{journal.Filter{Plugin: "def"}, 0},
		{journal.Filter{IDs: []string{all[3].ID, all[5].ID}}, 2},
		{journal.Filter{Unforwarded: true}, 6},
		{journal.Filter{Since: all[6].Failed}, 1},
		{journal.Filter{Until: all[6].Failed}, 6},
	} {
		if got := len(letters(t, j, c.f)); got != c.want {
			t.Errorf("%+v: %d, want %d", c.f, got, c.want)
		}
	}
	if n, err := j.Retry(journal.Filter{Pipeline: "a", Limit: 4}); n != 4 || err != nil {
		t.Errorf("retried %d: %v", n, err)
	}
	<-a.Recoverable()
	back := recovered(t, a)
	if !slices.Equal(ids(back), []string{"event-1", "event-2", "event-3", "event-4"}) || back[0].Attempt != 0 {
		t.Errorf("put back %v", ids(back))
	}
	if _, ok := a.Lowest(); ok {
		t.Error("what was put back is to be read again")
	}
	if s := j.Stats().Pipelines["a"]; s.Unsettled != 4 || s.DeadLetters != 2 {
		t.Errorf("%+v", s)
	}
}

// TestSettledTakesNoMemory has nobody ask for the lowest position, as in queue
// mode without reconcile.
func TestSettledTakesNoMemory(t *testing.T) {
	j := open(t, "j", journal.Options{FS: vfs.NewMem()})
	in := inbox(t, j, "a")
	stuck := appendAll(t, in, events(1, 1))
	for n := range 10 {
		settle(in, message.Outcome{}, appendAll(t, in, events(2+n, 1))...)
	}
	if n := journal.Ordered(in); n != 1 {
		t.Errorf("%d pulls are in memory, and 1 is unsettled", n)
	}
	settle(in, message.Outcome{}, stuck...)
	if n := journal.Ordered(in); n != 0 {
		t.Errorf("%d pulls are in memory, and none is unsettled", n)
	}
}

func TestClosed(t *testing.T) {
	j := open(t, "j", journal.Options{FS: vfs.NewMem()})
	in := inbox(t, j, "a")
	m := appendAll(t, in, events(1, 1))
	if err := errors.Join(j.Close(), j.Close()); err != nil {
		t.Fatal(err)
	}
	if in.Admit(never) {
		t.Error("admitted")
	}
	if err := in.Append(context.Background(), never, events(2, 1)); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if _, err := in.Recover(1); err != nil {
		t.Errorf("recover: %v", err)
	}
	if _, err := in.Remembered(); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("remembered: %v", err)
	}
	if _, err := j.Purge(journal.Filter{}); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("purge: %v", err)
	}
	settle(in, message.Outcome{}, m...)
}
