package eventrelay_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	source "github.com/relayhost/relayhost/host/source/eventrelay"

	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

var (
	_ pipeline.Source   = (*source.LogSource)(nil)
	_ pipeline.Unlocker = (*source.Source)(nil)
)

// lossy throws the answers of some pulls away, once the server has given them.
type lossy struct {
	grpc.ClientConnInterface
	mu   sync.Mutex
	lose func() bool
	lost int
}

// Invoke implements grpc.ClientConnInterface.
func (l *lossy) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	err := l.ClientConnInterface.Invoke(ctx, method, args, reply, options...)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && method == pb.Events_PullQueuedEvents_FullMethodName && l.lose() {
		l.lost++
		return status.Error(codes.Unavailable, "the connection was cut after the lock")
	}
	return err
}

// lossy dials the server.
func (r *relay) lossy(lose func() bool) *lossy {
	r.t.Helper()
	conn, err := eventrelay.Dial(r.reach())
	check(r.t, err)
	r.t.Cleanup(func() { _ = conn.Close() })
	return &lossy{ClientConnInterface: conn, lose: lose}
}

func (r *relay) reconciling(conn grpc.ClientConnInterface, m *memory, log *logbook) *source.Source {
	return source.New(conn, source.Options{
		DestinationID: r.destination, Reconcile: true, Topic: "users", Memory: m, Logger: log.logger(),
		PullInterval: 20 * time.Millisecond, ReconcileInterval: time.Second, ReconcileStart: source.Start{Latest: true},
	})
}

// pullAll pulls with several goroutines until all of the events have come.
func pullAll(t *testing.T, s *source.Source, m *memory, all int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stop := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for ctx.Err() == nil {
				messages, err := s.Pull(ctx, stop, 100)
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				m.append(messages)
				m.settle(messages)
				s.Settle(messages)
				if m.distinct() == all {
					once.Do(func() { close(stop) })
				}
				if len(messages) == 0 {
					return
				}
			}
		})
	}
	wg.Wait()
}

func (m *memory) distinct() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.appended)
}

func expectEach(t *testing.T, m *memory, events []*pb.Event) {
	t.Helper()
	for _, e := range events {
		if n := m.count(e.GetId()); n != 1 {
			t.Fatalf("event %d came %d times", e.GetOffset(), n)
		}
	}
}

// begun pulls nothing until the floor is set.
func begun(t *testing.T, s *source.Source, m *memory) {
	t.Helper()
	for known := false; !known; _, known = m.Floor() {
		if got := mustPull(t, s, after(50*time.Millisecond), 10); len(got) != 0 {
			t.Fatalf("%d events", len(got))
		}
	}
}

func TestReconcileFindsWhatAnswersLost(t *testing.T) {
	r, log, m := newRelay(t), newLogbook(t), newMemory()
	random := rand.New(rand.NewPCG(1, 2))
	conn := r.lossy(func() bool { return random.IntN(4) == 0 })
	s := r.reconciling(conn, m, log)
	begun(t, s, m)
	var events []*pb.Event
	for range 3 {
		events = append(events, r.publish(700)...)
		pullAll(t, s, m, len(events))
	}
	expectEach(t, m, events)
	if conn.lost == 0 {
		t.Error("no answer was lost")
	}
}

// A crash lost what was pulled and not appended; what was, settled or not, is not
// lost. Nor is what others pulled before the first run.
func TestReconcileFindsWhatACrashLost(t *testing.T) {
	r, log, m := newRelay(t), newLogbook(t), newMemory()
	conn := r.lossy(func() bool { return false })
	old := r.publish(50)
	if got := mustPull(t, source.New(conn, source.Options{DestinationID: r.destination}), nil, 100); len(got) != 50 {
		t.Fatalf("%d events", len(got))
	}
	begun(t, r.reconciling(conn, m, log), m)
	events := r.publish(300)
	s := r.reconciling(conn, m, log)
	m.append(mustPull(t, s, nil, 100))
	mustPull(t, s, nil, 100) // and crash
	pullAll(t, r.reconciling(conn, m, log), m, 300)
	expectEach(t, m, events)
	if m.count(old[0].GetId()) != 0 {
		t.Error("an event from before the first run came again")
	}
}

// An event that was unlocked is delivered anew, and that may be lost as any other.
func TestReconcileFindsWhatWasUnlockedAndLost(t *testing.T) {
	r, log, m := newRelay(t), newLogbook(t), newMemory()
	r.stop()
	r.options.Unlock = true
	r.start()
	var armed atomic.Bool
	s := r.reconciling(r.lossy(func() bool { return armed.Swap(false) }), m, log)
	begun(t, s, m)
	r.publish(3)
	pulled := mustPull(t, s, nil, 10)
	m.append(pulled)
	check(t, s.Unlock(t.Context(), pulled[:1]))
	m.settle(pulled)
	s.Settle(pulled)
	armed.Store(true)
	if again := mustPull(t, s, after(20*time.Second), 10); len(again) != 1 || again[0].ID != pulled[0].ID || armed.Load() {
		t.Errorf("%d events came again", len(again))
	}
}

func TestReconcileRefusesAnIgnoredQuery(t *testing.T) {
	r := newRelay(t)
	r.publish(1)
	conn := r.lossy(func() bool { return false })
	s := source.New(conn, source.Options{DestinationID: r.destination, Reconcile: true, Topic: "users", Query: "name = 'x'"})
	if _, err := s.Pull(t.Context(), nil, 1); !errors.Is(err, source.ErrQueryIgnored) {
		t.Error(err)
	}
}

func TestUnlock(t *testing.T) {
	for _, can := range []bool{false, true} {
		r, log := newRelay(t), newLogbook(t)
		r.stop()
		r.options.Unlock = can
		r.start()
		events := r.publish(3)
		s := source.New(r.lossy(func() bool { return false }), source.Options{DestinationID: r.destination, Unlock: true, Logger: log.logger()})
		got := mustPull(t, s, nil, 10)
		if len(got) != len(events) || s.CanUnlock() != can {
			t.Fatalf("%d events, can unlock: %v", len(got), s.CanUnlock())
		}
		err := s.Unlock(t.Context(), got[:2])
		if !can {
			if err == nil || len(log.lines("cannot unlock events")) != 1 {
				t.Errorf("%v, log %q", err, log.lines(""))
			}
			continue
		}
		check(t, err)
		if again := mustPull(t, s, nil, 10); len(again) != 2 || again[0].ID != got[0].ID {
			t.Errorf("%d events came again", len(again))
		}
	}
}

// TestUnlockUnanswered asks a server that never says whether it unlocks: neither
// pulls nor messages that end meanwhile may wait for it.
func TestUnlockUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source.New(mute{newFake(func(context.Context, int, int) ([]byte, error) { return reply(1), nil })},
			source.Options{DestinationID: "d1", Unlock: true, Logger: newLogbook(t).logger()})
		pulled := make(chan []*message.Message, 1)
		go func() {
			messages, _ := s.Pull(t.Context(), nil, 10)
			pulled <- messages
		}()
		synctest.Wait()
		asked := time.Now()
		if s.CanUnlock() || time.Since(asked) > 0 {
			t.Errorf("it waited for %v", time.Since(asked))
		}
		if messages := <-pulled; len(messages) != 1 || time.Since(asked) > time.Minute {
			t.Errorf("%d messages after %v", len(messages), time.Since(asked))
		}
	})
}

// mute does not answer whether it unlocks.
type mute struct{ *fake }

// Invoke implements grpc.ClientConnInterface.
func (m mute) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	if method != pb.Events_UnLockQueuedEvents_FullMethodName {
		return m.fake.Invoke(ctx, method, args, reply, options...)
	}
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}

func TestUnlockTriesAgain(t *testing.T) {
	f := &flaky{errors: []error{status.Error(codes.Unavailable, "gone"), status.Error(codes.Unknown, "Internal Server Error")}}
	s := source.New(f, source.Options{DestinationID: "d1"})
	if err := s.Unlock(t.Context(), []*message.Message{{ID: "a"}}); err != nil || f.calls != 3 {
		t.Errorf("%d calls, %v", f.calls, err)
	}
	f = &flaky{errors: []error{status.Error(codes.PermissionDenied, "no")}}
	s = source.New(f, source.Options{DestinationID: "d1"})
	if err := s.Unlock(t.Context(), []*message.Message{{ID: "a"}}); err == nil || f.calls != 1 || !strings.Contains(err.Error(), "unlock 1 events") {
		t.Errorf("%d calls, %v", f.calls, err)
	}
}

// flaky fails its first calls.
type flaky struct {
	grpc.ClientConnInterface
	errors []error
	calls  int
}

// Invoke implements grpc.ClientConnInterface.
func (f *flaky) Invoke(context.Context, string, any, any, ...grpc.CallOption) error {
	if f.calls++; f.calls <= len(f.errors) {
		return f.errors[f.calls-1]
	}
	return nil
}
