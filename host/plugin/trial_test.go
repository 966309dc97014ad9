package plugin_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

var all = plugin.TrialOptions{Share: 1}

// keyed is a message that the puppet obeys, of a partition.
func keyed(key string, cmd byte) *message.Message {
	m := order(cmd)
	m.ID, m.Partition = key, key
	return m
}

// A canary gets about its share of the keys, and all messages of the same.
func TestCanaryShare(t *testing.T) {
	a := module(t, "puppet")
	b := revision(a, 'b')
	const keys = 2000
	for _, share := range []float64{0.05, 0.25, 0.5, 1} {
		o := newOffice(t, a)
		first, second := o.sit(message.StageProcessors), o.sit(message.StageProcessors)
		o.try(b, plugin.TrialOptions{Share: share})
		tried := 0
		for n := range keys {
			key := fmt.Sprint("key", n)
			by := handled(first, keyed(key, cmdCount))
			if by == plugin.Digest(b) {
				tried++
			}
			if again := handled(second, keyed(key, cmdCount)); again != by {
				t.Fatalf("%s was handled by %s and then by %s", key, by, again)
			}
		}
		if got := float64(tried) / keys; got < share/3 || got > min(share+0.05, 1) || share == 1 && tried != keys {
			t.Errorf("share %v: %d of %d", share, tried, keys)
		}
		report, err := o.Trial()
		if err != nil || report.Candidate.Messages != int64(2*tried) || report.Live.Messages != int64(2*(keys-tried)) {
			t.Errorf("share %v: %v, %+v", share, err, report)
		}
	}
}

// The numbers of a trial are of both versions, with what their calls took.
func TestTrialNumbers(t *testing.T) {
	a := module(t, "puppet")
	o := newOffice(t, a)
	s := o.sit(message.StageProcessors)
	if _, err := o.Trial(); !errors.Is(err, plugin.ErrNoTrial) {
		t.Errorf("without a trial: %v", err)
	}
	if err := errors.Join(o.Promote(o.ctx, func(string) {}), o.Drop(o.ctx)); !errors.Is(err, plugin.ErrNoTrial) {
		t.Errorf("without a trial: %v", err)
	}
	o.try(revision(a, 'b'), all)
	for range 5 {
		handled(s, order(cmdCount))
	}
	handled(s, order(cmdTrap))
	r, err := o.Trial()
	if err != nil || r.Candidate.Messages != 6 || r.Candidate.Failures != 1 || r.Live.Messages != 0 || r.Resting {
		t.Errorf("%v, %+v", err, r)
	}
	if r.Candidate.Fuel == 0 || r.Candidate.Time <= 0 {
		t.Errorf("what it took: %+v", r.Candidate)
	}
}

// What the candidate fails the live version handles, also while the candidate
// rests, and nobody waits for that.
func TestCanaryFails(t *testing.T) {
	live := alias(t, module(t, "echo"), abi.ExportHandleMessage, abi.ExportHandleBatch)
	o := newOffice(t, live)
	s := o.sit(message.StageProcessors)
	o.try(operator(t), all)
	began := time.Now()
	for range 100 {
		m := order(cmdTrap)
		s.Begin()
		prepared := s.PrepareMessages([]*message.Message{m})[0]
		handled := s.HandleMessage(m)
		s.End()
		if !prepared.OK() || !handled.OK() || m.Plugin != plugin.Digest(live) {
			t.Fatalf("prepared: %v; handled: %v, by %s", prepared.Outcome, handled.Outcome, m.Plugin)
		}
	}
	r, err := o.Trial()
	if err != nil || !r.Resting || r.Candidate.Failures < 20 || time.Since(began) > 10*time.Second {
		t.Errorf("%v, %+v after %v", err, r, time.Since(began))
	}
}

// Of a batch the candidate gets its own, before the live version; one
// of a candidate that rests the live one handles.
func TestCanaryBatch(t *testing.T) {
	a, b := taggedAs(t, "version1"), taggedAs(t, "version2")
	o := newOffice(t, a)
	s := o.sit(message.StageBatchers)
	o.try(b, all)
	checkBatch(t, s, []string{"b1", "a2", "b3"}, []string{"version2 b1 b3", "version1 a2"}, a, b)
	inside, leave := make(chan struct{}), make(chan struct{})
	o.flush = func(context.Context) error {
		close(inside)
		<-leave
		return nil
	}
	dropped := make(chan error)
	go func() { dropped <- o.Drop(o.ctx) }()
	<-inside
	checkBatch(t, s, []string{"b1", "a2", "b3"}, []string{"version2 b1 b3", "version1 a2"}, a, b)
	close(leave)
	if err := <-dropped; err != nil {
		t.Error(err)
	}
	checkBatch(t, s, []string{"b1", "a2", "b3"}, []string{"version1 b1 a2 b3"}, a, b)
}

// A trial ends with the candidate live, or gone; or with another in its place.
func TestTrialEnds(t *testing.T) {
	a := operator(t)
	b, c := revision(a, 'b'), revision(a, 'c')
	for _, shadow := range []bool{false, true} {
		options := plugin.TrialOptions{Share: 1, Shadow: shadow}
		for name, end := range map[string]struct {
			end  func(*office)
			live []byte
		}{
			"promote": {func(o *office) {
				if err := o.Promote(o.ctx, func(string) {}); err != nil {
					t.Error(err)
				}
			}, b},
			"drop": {func(o *office) {
				if err := o.Drop(o.ctx); err != nil {
					t.Error(err)
				}
			}, a},
			"switch": {func(o *office) { o.swap(c) }, c},
			"another": {func(o *office) {
				o.try(c, options)
				if got := o.Candidate().Digest(); got != plugin.Digest(c) {
					t.Errorf("on trial: %s", got)
				}
				if err := o.Drop(o.ctx); err != nil {
					t.Error(err)
				}
			}, a},
			"close": {func(*office) {}, nil},
		} {
			t.Run(fmt.Sprintf("%s, shadow %v", name, shadow), func(t *testing.T) {
				o := newOffice(t, a)
				s := o.sit(message.StageProcessors)
				o.sit(message.StageFailures)
				o.try(b, options)
				o.sit(message.StageBatchers) // comes later
				handled(s, order(cmdCount))
				end.end(o)
				if end.live == nil {
					return
				}
				for _, seat := range o.seats {
					if by := handled(seat, order(cmdCount)); by != plugin.Digest(end.live) {
						t.Errorf("handled by %s", by)
					}
				}
				if o.Candidate() != nil || o.Live().Digest() != plugin.Digest(end.live) {
					t.Error("the trial has not ended")
				}
			})
		}
	}
}

// A candidate that spins is dropped at once: the live version handles its message
// and those behind it.
func TestDropWhatSpins(t *testing.T) {
	live := alias(t, module(t, "echo"), abi.ExportHandleMessage, abi.ExportHandleBatch)
	o := newOfficeWith(t, live, plugin.Limits{Message: plugin.Limit{Deadline: time.Hour, Fuel: 1 << 60}})
	s := o.sit(message.StageProcessors)
	o.try(module(t, "puppet"), all)
	wait := during(s, func() {
		for range 5 {
			m := order(cmdSpin)
			if p := s.HandleMessage(m); !p.OK() || m.Plugin != plugin.Digest(live) {
				t.Errorf("%v, by %s", p.Outcome, m.Plugin)
			}
		}
	})
	time.Sleep(10 * time.Millisecond) // it may spin by then, or not
	if err := o.Drop(o.ctx); err != nil {
		t.Error(err)
	}
	wait()
}
