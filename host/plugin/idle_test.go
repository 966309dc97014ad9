package plugin_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

const idleTimeout = time.Minute

// idling is an office whose instances are given back. It wants a synctest bubble.
func idling(t *testing.T, live []byte) *office {
	t.Helper()
	engine, _ := open(t, plugin.Options{})
	o := &office{t: t, engine: engine}
	o.ctx, o.closed = closings(context.WithoutCancel(t.Context()))
	o.Deployment = plugin.Deploy(o.load(live), plugin.DeployOptions{
		Flush: func(context.Context) error { return nil }, Idle: idleTimeout,
		Logger: slog.New(slog.NewTextHandler(complaint{t}, nil)),
	})
	t.Cleanup(o.close)
	return o
}

// given has enough time pass for idle instances to be given back.
func (o *office) given(n int64) {
	o.t.Helper()
	time.Sleep(2 * idleTimeout)
	synctest.Wait()
	if got := o.closed.Load(); got != n {
		o.t.Fatalf("%d instances were given back, not %d", got, n)
	}
}

func TestIdleInstancesAreGivenBack(t *testing.T) { synctest.Test(t, idleInstancesAreGivenBack) }

func idleInstancesAreGivenBack(t *testing.T) {
	a := module(t, "puppet")
	b := revision(a, 'b')
	o := idling(t, a)
	first, second := o.sit(message.StageProcessors), o.sit(message.StageProcessors)
	o.given(1) // Load's own: the second seat never had one
	for n := range int64(3) {
		for _, s := range []*plugin.Seat{first, second} {
			if got := handled(s, order(cmdCount)); got != o.Live().Digest() {
				t.Errorf("handled by %.8s", got)
			}
		}
		o.given(1 + 2*(n+1))
	}
	o.swap(b)
	o.given(7 + 4) // an instance and a spare for each seat
	if got := handled(second, order(cmdCount)); got != o.Live().Digest() {
		t.Errorf("handled by %.8s", got)
	}
	o.given(7 + 4 + 1)
}

func TestInstancesAtWorkAreNotGivenBack(t *testing.T) {
	synctest.Test(t, instancesAtWorkAreNotGivenBack)
}

func instancesAtWorkAreNotGivenBack(t *testing.T) {
	o := idling(t, module(t, "puppet"))
	s := o.sit(message.StageProcessors)
	s.Begin()
	s.HandleMessage(order(cmdCount))
	before := o.closed.Load()
	time.Sleep(5 * idleTimeout)
	if patch := s.HandleMessage(order(cmdCount)); patch.Kind != message.OK {
		t.Error(patch.Outcome)
	}
	if o.closed.Load() != before {
		t.Error("an instance was given back in the midst of a chunk")
	}
	s.End()
	o.given(before + 1)
}

// Seats work, idle and change all at once: whatever comes is handled.
func TestIdleWhileSwitched(t *testing.T) { synctest.Test(t, idleWhileSwitched) }

func idleWhileSwitched(t *testing.T) {
	a := module(t, "puppet")
	o := idling(t, a)
	seats := []*plugin.Seat{o.sit(message.StageProcessors), o.sit(message.StageBatchers)}
	var at sync.WaitGroup
	for _, s := range seats {
		at.Go(func() {
			for n := range 100 {
				s.Begin()
				if patch := s.HandleMessage(order(cmdCount)); patch.Kind != message.OK {
					t.Error(patch.Outcome)
				}
				s.End()
				time.Sleep(time.Duration(n%4) * idleTimeout)
			}
		})
	}
	for n := range 10 {
		o.swap(revision(a, byte('a'+n)))
	}
	at.Wait()
}
