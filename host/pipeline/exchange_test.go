package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
)

// exchanging is a plugin whose handlers want to know where chunks begin and end.
type exchanging struct {
	*plugin
	t    *testing.T
	ends func() // called at each End of a processor

	mu    sync.Mutex
	pairs map[message.Stage]int
	calls map[message.Stage]int
}

func (p *exchanging) NewHandler(ctx context.Context, s message.Stage) (pipeline.Handler, error) {
	h, err := p.plugin.NewHandler(ctx, s)
	if h == nil || err != nil {
		return nil, err
	}
	return &exchanger{Handler: h, plugin: p, stage: s}, nil
}

type exchanger struct {
	pipeline.Handler
	plugin *exchanging
	stage  message.Stage
	begun  atomic.Bool
}

func (e *exchanger) Begin() {
	if e.begun.Swap(true) {
		e.plugin.t.Errorf("stage %d: begun twice", e.stage)
	}
}

func (e *exchanger) End() {
	if e.plugin.ends != nil && e.stage == message.StageProcessors {
		e.plugin.ends()
	}
	if !e.begun.Swap(false) {
		e.plugin.t.Errorf("stage %d: ended without a beginning", e.stage)
	}
	e.count(e.plugin.pairs)
}

func (e *exchanger) count(counts map[message.Stage]int) {
	e.plugin.mu.Lock()
	defer e.plugin.mu.Unlock()
	counts[e.stage]++
}

func (e *exchanger) call() {
	if !e.begun.Load() {
		e.plugin.t.Errorf("stage %d: a call outside", e.stage)
	}
	e.count(e.plugin.calls)
}

func (e *exchanger) PrepareMessages(m []*message.Message) []message.Patch {
	e.call()
	return e.Handler.PrepareMessages(m)
}

func (e *exchanger) HandleMessage(m *message.Message) message.Patch {
	e.call()
	return e.Handler.HandleMessage(m)
}

func (e *exchanger) HandleBatch(b *message.Batch) message.BatchResult {
	e.call()
	return e.Handler.HandleBatch(b)
}

func (e *exchanger) HandleFailed(f []message.Failure) ([]message.OnFailure, message.Outcome) {
	e.call()
	return e.Handler.HandleFailed(f)
}

func newExchanging(t *testing.T, p *plugin) *exchanging {
	return &exchanging{plugin: p, t: t, pairs: map[message.Stage]int{}, calls: map[message.Stage]int{}}
}

// Every call lies between a Begin and its End, in all stages, also of what is
// tried again and of a drain.
func TestExchangePairs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newExchanging(t, &plugin{
			message: failing(message.Handler, 3, 13),
			prepare: func(m []*message.Message) []message.Patch { return make([]message.Patch, len(m)) },
			failed: func(f []message.Failure) ([]message.OnFailure, message.Outcome) {
				return make([]message.OnFailure, len(f)), message.Outcome{}
			},
			batch: func(b *message.Batch) message.BatchResult {
				r := echo(b)
				for i, m := range b.Messages {
					if number(m)%5 == 0 && m.Attempt == 1 {
						r.Outcomes[i] = retryable().Outcome
					}
				}
				return r
			},
		})
		c := shape(5, 10, batcher(message.DefaultBatcher, 4, &sink{}))
		c.Processors.Concurrency, c.Batchers[0].Concurrency = 2, 2
		c.Failures.OnFailure = message.Retry
		s := newSource()
		s.push(numbers(1, 40)...)
		s.end(io.EOF)
		pl, err := pipeline.New(c, s, p)
		if err != nil {
			t.Fatal(err)
		}
		if err := pl.Run(t.Context()); err != nil {
			t.Error(err)
		}
		for stage, least := range map[message.Stage]int{message.StageProcessors: 8, message.StageBatchers: 10, message.StageFailures: 1} {
			if p.pairs[stage] < least || p.calls[stage] < p.pairs[stage] {
				t.Errorf("stage %d: %d pairs, %d calls", stage, p.pairs[stage], p.calls[stage])
			}
		}
	})
}

// What a chunk has made is with its batchers before its End: a flush there has
// all of it handled.
func TestChunkIsWithItsBatchersAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newExchanging(t, &plugin{})
		c, out, s := shape(0, 3, batcher(message.DefaultBatcher, 100, &sink{})), &sink{}, newSource()
		c.Batchers[0].BatchTimeout, c.Batchers[0].Sink = time.Hour, out
		pl, err := pipeline.New(c, s, p)
		if err != nil {
			t.Fatal(err)
		}
		flushed := make(chan struct{})
		p.ends = sync.OnceFunc(func() {
			if err := pl.Flush(t.Context()); err != nil {
				t.Error(err)
			}
			close(flushed)
		})
		done := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- pl.Run(ctx) }()
		s.push(1, 2, 3)
		<-flushed
		if got, want := out.delivered(), []string{"default/ flush [1 2 3]"}; !slices.Equal(got, want) {
			t.Errorf("delivered %q, want %q", got, want)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// hour is a pipeline whose batches do not fill and wait an hour; release lets
// one batch be handled, if there is a handler that waits.
func hour(t *testing.T, p *plugin, batchers int) (*running, *source, *sink) {
	t.Helper()
	out := &sink{}
	c := shape(0, 10)
	for i := range batchers {
		b := batcher(fmt.Sprint("b", i), 100, out)
		b.BatchTimeout = time.Hour
		c.Batchers = append(c.Batchers, b)
	}
	p.message = route(func(n int) string { return fmt.Sprint("b", n%batchers) })
	s := newSource()
	return start(t, c, s, p), s, out
}

func TestFlush(t *testing.T) {
	t.Run("partial batches", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := &plugin{}
			r, s, out := hour(t, p, 3)
			s.push(numbers(1, 6)...)
			synctest.Wait()
			began := time.Now()
			if err := r.Flush(t.Context()); err != nil || time.Since(began) != 0 {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			got := out.delivered()
			slices.Sort(got)
			if want := []string{"b0/ flush [3 6]", "b1/ flush [1 4]", "b2/ flush [2 5]"}; !slices.Equal(got, want) {
				t.Errorf("delivered %q, want %q", got, want)
			}
			r.drain(p)
		})
	})
	t.Run("nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for batchers := range 2 {
				p := &plugin{}
				r, _, _ := hour(t, p, batchers)
				if err := r.Flush(t.Context()); err != nil {
					t.Error(err)
				}
				r.drain(p)
			}
		})
	})
	t.Run("before and after Run", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, s := &plugin{}, newSource()
			pl, err := pipeline.New(shape(0, 1, batcher(message.DefaultBatcher, 1, &sink{})), s, p)
			if err != nil {
				t.Fatal(err)
			}
			s.end(io.EOF)
			if err := errors.Join(pl.Flush(t.Context()), pl.Run(t.Context()), pl.Flush(t.Context())); err != nil {
				t.Error(err)
			}
		})
	})
}

// slowBatches handles each batch in ten seconds.
func slowBatches() *plugin {
	return &plugin{batch: func(b *message.Batch) message.BatchResult {
		time.Sleep(10 * time.Second)
		return echo(b)
	}}
}

// Many flushes at once each wait for all that was there, also for what an
// earlier one has emitted; so does one after another that has given up.
func TestFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := slowBatches()
		r, s, out := hour(t, p, 1)
		s.push(1)
		synctest.Wait()
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Flush(hurried); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a flush that gives up: %v", err)
		}
		var flushes sync.WaitGroup
		for range 5 {
			flushes.Go(func() {
				if err := r.Flush(t.Context()); err != nil || len(out.delivered()) != 1 {
					t.Errorf("%v with %q delivered", err, out.delivered())
				}
			})
		}
		flushes.Wait()
		s.push(2)
		synctest.Wait()
		if err := r.Flush(t.Context()); err != nil || len(out.delivered()) != 2 {
			t.Errorf("later: %v with %q delivered", err, out.delivered())
		}
		r.drain(p)
	})
}

// A flush does not wait for what comes after it.
func TestFlushDoesNotWaitForMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := slowBatches()
		r, s, out := hour(t, p, 1)
		s.push(1)
		synctest.Wait()
		flushed := make(chan error, 1)
		go func() { flushed <- r.Flush(t.Context()) }()
		synctest.Wait()
		s.push(2)
		if err := <-flushed; err != nil || len(out.delivered()) != 1 {
			t.Errorf("%v with %q delivered", err, out.delivered())
		}
		r.drain(p)
	})
}

// In a drain a flush ends with it, also with one whose deadline passes.
func TestFlushInADrain(t *testing.T) {
	for name, shutdown := range map[string]time.Duration{"in time": 3 * time.Minute, "too late": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, s := slowBatches(), newSource()
				c := shape(0, 10, batcher(message.DefaultBatcher, 1, &sink{}))
				c.Shutdown = shutdown
				r := start(t, c, s, p)
				s.push(1, 2)
				synctest.Wait()
				r.cancel()
				if err := r.Flush(t.Context()); err != nil {
					t.Error(err)
				}
				var unsettled *pipeline.UnsettledError
				if err := <-r.done; errors.As(err, &unsettled) != (name == "too late") {
					t.Error(err)
				}
				time.Sleep(time.Hour) // for a handler that was given up
			})
		})
	}
}
