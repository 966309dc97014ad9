package pipeline_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// patient is a sink that waits so long with each batch, or until it must not.
type patient struct {
	waits  []time.Duration // of each batch, the last one of all that follow
	took   []time.Duration
	missed int
}

func (s *patient) Deliver(ctx context.Context, _ *message.Batch, _ []message.Record) error {
	began := time.Now()
	defer func() { s.took = append(s.took, time.Since(began)) }()
	wait := s.waits[min(len(s.took), len(s.waits)-1)]
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			s.missed++
		}
		return ctx.Err()
	}
}

// Every delivery has its timeout, less a thousandth, whatever came before it: one
// that was quick, one that was slow, one that missed it.
func TestSinkTimeout(t *testing.T) {
	const timeout = 10 * time.Second
	synctest.Test(t, func(t *testing.T) {
		quick, late := time.Millisecond, time.Hour
		out := &patient{waits: []time.Duration{0, 0, quick, timeout - 2*time.Second/100, late, late, 0, quick, late, 5 * time.Second, late}}
		in, p := newSource(), &plugin{}
		config := shape(0, 10, batcher("default", 1, out))
		config.Batchers[0].SinkTimeout = timeout
		r := start(t, config, in, p)
		in.push(numbers(1, len(out.waits))...)
		time.Sleep(time.Hour)
		r.balanced(0)
		for i, wait := range out.waits {
			least, most := min(wait, timeout-timeout/1000), min(wait, timeout)
			if out.took[i] < least || out.took[i] > most {
				t.Errorf("delivery %d took %v, of %v", i, out.took[i], wait)
			}
		}
		if got := r.Books().Settled[message.Sink]; got != 4 || out.missed != 4 {
			t.Errorf("%d have failed, %d with the deadline, want 4", got, out.missed)
		}
		r.drain(p)
	})
}

// Deliveries that come one upon the other cost no context each.
func TestSinkTimeoutCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		contexts := map[context.Context]bool{}
		out := deliver(func(ctx context.Context) { contexts[ctx] = true })
		in, p := newSource(), &plugin{}
		r := start(t, shape(0, 10, batcher("default", 1, out)), in, p)
		in.push(numbers(1, 1000)...)
		synctest.Wait()
		r.balanced(0)
		if len(contexts) != 1 {
			t.Errorf("%d contexts for 1,000 deliveries at one instant", len(contexts))
		}
		r.drain(p)
		for ctx := range contexts {
			if ctx.Err() == nil {
				t.Error("a context outlives the pipeline")
			}
		}
	})
}

// deliver is a sink that is a function.
type deliver func(ctx context.Context)

func (f deliver) Deliver(ctx context.Context, _ *message.Batch, _ []message.Record) error {
	f(ctx)
	return nil
}
