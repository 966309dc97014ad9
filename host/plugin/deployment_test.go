package plugin_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// revision is a module that differs from others of its kind in nothing but its
// digest: it has a custom section more.
func revision(file []byte, name byte) []byte { return append(slices.Clone(file), 0, 2, 1, name) }

// office is a deployment with seats, without a pipeline.
type office struct {
	*plugin.Deployment
	t      testing.TB
	engine *plugin.Engine
	flush  func(context.Context) error
	seats  []*plugin.Seat
	closed *atomic.Int64
	ctx    context.Context
	limits plugin.Limits
}

func newOffice(t testing.TB, live []byte) *office {
	t.Helper()
	return newOfficeWith(t, live, plugin.Limits{})
}

func newOfficeWith(t testing.TB, live []byte, limits plugin.Limits) *office {
	t.Helper()
	engine, _ := open(t, plugin.Options{})
	o := &office{t: t, engine: engine, flush: func(context.Context) error { return nil }, limits: limits}
	o.ctx, o.closed = closings(context.WithoutCancel(t.Context()))
	o.Deployment = plugin.Deploy(o.load(live), plugin.DeployOptions{
		Flush:  func(ctx context.Context) error { return o.flush(ctx) },
		Logger: slog.New(slog.NewTextHandler(complaint{t}, nil)),
	})
	t.Cleanup(o.close)
	return o
}

// complaint fails a test with what is logged.
type complaint struct{ t testing.TB }

func (c complaint) Write(p []byte) (int, error) {
	c.t.Errorf("logged: %s", p)
	return len(p), nil
}

// close fails the test if a slot of a version is open.
func (o *office) close() {
	for _, s := range o.seats {
		if err := s.Close(o.ctx); err != nil {
			o.t.Error(err)
		}
	}
	if err := o.Close(o.ctx); err != nil {
		o.t.Error(err)
	}
}

func (o *office) load(file []byte) *plugin.Plugin {
	o.t.Helper()
	p, err := o.engine.Load(o.ctx, "p.wasm", file, plugin.Settings{Pipeline: "test", NeedBatch: true, Limits: o.limits})
	if err != nil {
		o.t.Fatal(err)
	}
	return p
}

func (o *office) sit(post message.Stage) *plugin.Seat {
	o.t.Helper()
	s, err := o.Sit(o.ctx, post)
	if err != nil {
		o.t.Fatal(err)
	}
	o.seats = append(o.seats, s)
	return s
}

func (o *office) swap(file []byte) {
	o.t.Helper()
	next := o.load(file)
	if err := o.Switch(o.ctx, next, func(string) {}); err != nil {
		o.t.Error(errors.Join(err, next.Close(o.ctx)))
	}
}

// try has a canary, or a shadow, get all messages.
func (o *office) try(file []byte, options plugin.TrialOptions) {
	o.t.Helper()
	candidate := o.load(file)
	if err := o.Try(o.ctx, candidate, options, func(string) {}); err != nil {
		o.t.Fatal(errors.Join(err, candidate.Close(o.ctx)))
	}
}

// handled is the digest of the version that handles a message at a seat.
func handled(s *plugin.Seat, m *message.Message) string {
	s.Begin()
	defer s.End()
	s.HandleMessage(m)
	return m.Plugin
}

// during starts a call at a seat, and returns what waits for its end.
func during(s *plugin.Seat, call func()) (wait func()) {
	begun, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		s.Begin()
		close(begun)
		call()
		s.End()
	}()
	<-begun
	return func() { <-done }
}

func TestSwitchWhileIdle(t *testing.T) {
	a := module(t, "puppet")
	b := revision(a, 'b')
	o := newOffice(t, a)
	processor, batcher := o.sit(message.StageProcessors), o.sit(message.StageBatchers)
	var stages []string
	next := o.load(b)
	if err := o.Switch(o.ctx, next, func(s string) { stages = append(stages, s) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"warm", "switch", "drain"}; !slices.Equal(stages, want) || o.Live() != next {
		t.Errorf("stages %q, want %q", stages, want)
	}
	if got := handled(processor, order(cmdCount)); got != plugin.Digest(b) {
		t.Errorf("handled by %s", got)
	}
	batch := &message.Batch{Messages: []*message.Message{order(cmdTrap)}}
	batcher.Begin()
	batcher.HandleBatch(batch)
	batcher.End()
	if batch.Plugin != plugin.Digest(b) {
		t.Errorf("the batch was handled by %s", batch.Plugin)
	}
}

// A switch waits for the call that runs, which the version before ends, and holds
// up no other seat.
func TestSwitchDuringACall(t *testing.T) {
	a := module(t, "puppet")
	b := revision(a, 'b')
	o := newOffice(t, a)
	busy, idle := o.sit(message.StageProcessors), o.sit(message.StageProcessors)
	first, second := order(cmdSleep, uint64(300*time.Millisecond)), order(cmdCount)
	wait := during(busy, func() {
		busy.HandleMessage(first)
		busy.HandleMessage(second) // of the same chunk
	})
	switched := make(chan struct{})
	go func() {
		defer close(switched)
		o.swap(b)
	}()
	handled(idle, order(cmdCount))
	wait()
	<-switched
	if first.Plugin != plugin.Digest(a) || second.Plugin != plugin.Digest(a) {
		t.Error("the chunk that had begun was not ended by the version before")
	}
	if handled(busy, order(cmdCount)) != plugin.Digest(b) || handled(idle, order(cmdCount)) != plugin.Digest(b) {
		t.Error("the version before is still at work")
	}
}

// Interrupt ends the call that a switch waits for, and those of the next version.
func TestInterruptDuringASwitch(t *testing.T) {
	o := newOffice(t, module(t, "puppet"))
	s := o.sit(message.StageProcessors)
	wait := during(s, func() { s.HandleMessage(order(cmdSpin)) })
	switched := make(chan struct{})
	go func() {
		defer close(switched)
		o.swap(revision(module(t, "puppet"), 'b'))
	}()
	s.Interrupt()
	wait()
	<-switched
	s.Begin()
	if p := s.HandleMessage(order(cmdSpin)); p.OK() {
		t.Error("the next version was called")
	}
	s.End()
}

// A seat may close while it is about to change: nothing is left open.
func TestSeatClosesDuringASwitch(t *testing.T) {
	for range 20 {
		o := newOffice(t, module(t, "puppet"))
		s, other := o.sit(message.StageProcessors), o.sit(message.StageBatchers)
		var wg sync.WaitGroup
		wg.Go(func() {
			handled(s, order(cmdCount))
			for _, seat := range []*plugin.Seat{s, other} {
				if err := seat.Close(o.ctx); err != nil {
					t.Error(err)
				}
			}
		})
		o.swap(revision(module(t, "puppet"), 'b'))
		wg.Wait()
	}
}

// Two changes in quick succession, at seats that are idle, busy, or in between,
// are both taken; the newest wins.
func TestChangesInQuickSuccession(t *testing.T) {
	a := module(t, "echo")
	a = alias(t, a, abi.ExportHandleMessage, abi.ExportHandleBatch)
	o := newOffice(t, a)
	s := o.sit(message.StageProcessors)
	for n := range 100 {
		var wg sync.WaitGroup
		wg.Go(func() {
			for range n % 7 {
				s.Begin()
				s.End()
			}
		})
		last := byte('a' + n%2)
		for _, name := range []byte{'x', last} {
			wg.Go(func() { o.swap(revision(a, name)) })
		}
		wg.Wait()
		o.swap(revision(a, last))
		if got := handled(s, order(cmdCount)); got != plugin.Digest(revision(a, last)) {
			t.Fatalf("%d: handled by %s", n, got)
		}
	}
}

// A version that cannot be made for every seat changes nothing.
func TestSwitchToWhatDoesNotWarm(t *testing.T) {
	a := module(t, "puppet")
	o := newOffice(t, a)
	for range 3 {
		o.sit(message.StageProcessors)
	}
	next := o.load(revision(a, 'b'))
	gone, cancel := context.WithCancel(o.ctx)
	cancel()
	if err := o.Switch(gone, next, func(string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := o.Try(gone, next, plugin.TrialOptions{Share: 1}, func(string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("a trial: %v", err)
	}
	if err := next.Close(o.ctx); err != nil {
		t.Error(err)
	}
	if got := handled(o.seats[2], order(cmdCount)); got != plugin.Digest(a) || o.Candidate() != nil {
		t.Errorf("handled by %s", got)
	}
}

// A version that rests gives its messages to the next one at once: nobody waits
// for its rest.
func TestSwitchFromWhatRests(t *testing.T) {
	t.Parallel()
	a := operator(t)
	b := revision(a, 'b')
	for name, call := range map[string]func(*plugin.Seat) (bool, string){
		"handle_message": func(s *plugin.Seat) (bool, string) {
			m := order(cmdCount)
			p := s.HandleMessage(m)
			return p.OK(), m.Plugin
		},
		"prepare_messages": func(s *plugin.Seat) (bool, string) {
			m := order(cmdEcho, string(abi.BatchResult{Results: []abi.MessageResult{{}}}.Append(nil)))
			p := s.PrepareMessages([]*message.Message{m})
			return p[0].OK(), m.Plugin
		},
		"handle_batch": func(s *plugin.Seat) (bool, string) {
			m := order(cmdEcho, string(abi.BatchResult{Results: []abi.MessageResult{{}}}.Append(nil)))
			m.Plugin = plugin.Digest(a) // which handled it, in happier days
			b := &message.Batch{Messages: []*message.Message{m}}
			r := s.HandleBatch(b)
			return r.Outcomes[0].OK(), b.Plugin
		},
		"handle_failed": func(s *plugin.Seat) (bool, string) {
			f := failures([]*message.Message{order(cmdEcho, "")})
			_, o := s.HandleFailed(f)
			return o.OK(), f[0].Plugin
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOfficeWith(t, a, plugin.Limits{Failures: 1})
			next := o.load(b)
			s := o.sit(map[string]message.Stage{"handle_batch": message.StageBatchers, "handle_failed": message.StageFailures}[name])
			for range 6 { // the rest after it is of 3 s
				s.Begin()
				s.PrepareMessages([]*message.Message{order(cmdTrap)})
				s.End()
			}
			wait := during(s, func() {
				if ok, by := call(s); !ok || by != plugin.Digest(b) {
					t.Errorf("ok: %v, by %s", ok, by)
				}
			})
			began := time.Now()
			if err := o.Switch(o.ctx, next, func(string) {}); err != nil {
				t.Error(err)
			}
			wait()
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// Versions with and without the optional calls take each other's place.
func TestSwitchOfOptionalCalls(t *testing.T) {
	with, without := operator(t), module(t, "puppet")
	o := newOffice(t, without)
	processor, failed := o.sit(message.StageProcessors), o.sit(message.StageFailures)
	for n := range 4 {
		has := n%2 == 0
		o.swap(revision(map[bool][]byte{true: with, false: without}[has], byte('a'+n)))
		if o.Prepares() != has || o.Fails() != has {
			t.Errorf("%d: prepares: %v, fails: %v", n, o.Prepares(), o.Fails())
		}
		m := order(cmdEcho, string(abi.BatchResult{Results: []abi.MessageResult{{Data: []byte("prepared")}}}.Append(nil)))
		processor.Begin()
		patches := processor.PrepareMessages([]*message.Message{m})
		processor.End()
		if !patches[0].OK() || (string(patches[0].Data) == "prepared") != has {
			t.Errorf("%d: prepared as %+v", n, patches[0])
		}
		f := failures([]*message.Message{order(cmdEcho, "")})
		failed.Begin()
		actions, outcome := failed.HandleFailed(f)
		failed.End()
		if len(actions) != 1 || !outcome.OK() || (f[0].Plugin == o.Live().Digest()) != has {
			t.Errorf("%d: %v, %v by %q", n, actions, outcome, f[0].Plugin)
		}
	}
}

// taggedAs is a guest that tags what it puts out with eight bytes.
func taggedAs(t testing.TB, tag string) []byte {
	t.Helper()
	return []byte(strings.Replace(string(module(t, "tagger")), "version0", tag, 1))
}

// While the version before has batches to end, a batch of both goes to each its
// own, the older first, and outcomes stay by position; then the live one has all.
func TestBatchOfTwoVersions(t *testing.T) {
	a, b := taggedAs(t, "version1"), taggedAs(t, "version2")
	o := newOffice(t, a)
	s := o.sit(message.StageBatchers)
	inside, leave := make(chan struct{}), make(chan struct{})
	o.flush = func(context.Context) error {
		close(inside)
		<-leave
		return nil
	}
	switched := make(chan struct{})
	go func() {
		defer close(switched)
		o.swap(b)
	}()
	<-inside
	checkBatch(t, s, []string{"b1", "a2", "b3", "a4"}, []string{"version1 a2 a4", "version2 b1 b3"}, a, b)
	checkBatch(t, s, []string{"a1", "a2"}, []string{"version1 a1 a2"}, a, b)
	checkBatch(t, s, []string{"b1", "b2"}, []string{"version2 b1 b2"}, a, b)
	close(leave)
	<-switched
	checkBatch(t, s, []string{"b1", "a2"}, []string{"version2 b1 a2"}, a, b)
}

// checkBatch has a batch handled whose messages begin with the letter of the
// version that handled each.
func checkBatch(t *testing.T, s *plugin.Seat, events, want []string, versions ...[]byte) {
	t.Helper()
	batch := &message.Batch{Batcher: "b"}
	for _, e := range events {
		batch.Messages = append(batch.Messages, &message.Message{
			ID: e, Event: []byte(e), Attempt: 1, Plugin: plugin.Digest(versions[e[0]-'a']),
		})
	}
	s.Begin()
	defer s.End()
	result := s.HandleBatch(batch)
	var got []string
	for _, r := range result.Records {
		frame, err := abi.ParseBatch(r.Data[8:])
		if err != nil {
			t.Fatal(err)
		}
		record := string(r.Data[:8])
		for _, m := range frame.Messages {
			record += " " + string(m.Event)
		}
		got = append(got, record)
	}
	if !slices.Equal(got, want) || len(result.Outcomes) != len(events) {
		t.Errorf("%v: got %q, want %q", events, got, want)
	}
	for i, outcome := range result.Outcomes {
		if !outcome.OK() {
			t.Errorf("%s: %v", events[i], outcome)
		}
	}
}

// A version whose batches do not end in time is let go all the same.
func TestDrainGivesUp(t *testing.T) {
	a := taggedAs(t, "version1")
	engine, _ := open(t, plugin.Options{})
	p, err := engine.Load(t.Context(), "p.wasm", a, plugin.Settings{NeedBatch: true})
	if err != nil {
		t.Fatal(err)
	}
	log := &logbook{}
	d := plugin.Deploy(p, plugin.DeployOptions{
		Flush:  func(context.Context) error { return context.DeadlineExceeded },
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	s, err := d.Sit(t.Context(), message.StageBatchers)
	if err != nil {
		t.Fatal(err)
	}
	b := taggedAs(t, "version2")
	next, err := engine.Load(t.Context(), "p.wasm", b, plugin.Settings{NeedBatch: true})
	if err = errors.Join(err, d.Switch(t.Context(), next, func(string) {})); err != nil {
		t.Fatal(err)
	}
	checkBatch(t, s, []string{"a1", "b2"}, []string{"version2 a1 b2"}, a, b)
	if !strings.Contains(log.String(), "has not ended its batches in time") {
		t.Errorf("logged %q", log)
	}
	if err := errors.Join(s.Close(t.Context()), d.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

// Every instance of every version ends.
func TestSwitchesLeaveNoInstance(t *testing.T) {
	a := taggedAs(t, "version1")
	o := newOffice(t, a)
	o.sit(message.StageProcessors)
	o.sit(message.StageBatchers)
	for n := range 10 {
		before := o.closed.Load()
		o.swap(taggedAs(t, fmt.Sprintf("version%d", n%3)))
		// An instance for each seat; from the second version on, a spare too.
		if closed, want := o.closed.Load()-before, int64(map[bool]int{true: 2, false: 4}[n == 0]); closed != want {
			t.Errorf("%d: %d instances of the version before have ended, want %d", n, closed, want)
		}
	}
}
