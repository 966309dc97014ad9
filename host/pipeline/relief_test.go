package pipeline_test

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
)

// tally is a sink that counts batches by trigger, and notes each partition's
// messages that came out of order.
type tally struct {
	mu       sync.Mutex
	batches  [3]int
	messages int
	last     map[string]uint64
	broken   string
	smallest int
	before   func(*message.Batch) error
}

func (s *tally) Deliver(_ context.Context, b *message.Batch, _ []message.Record) error {
	if s.before != nil {
		if err := s.before(b); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[string]uint64{}
		s.smallest = len(b.Messages)
	}
	s.batches[b.Trigger]++
	s.messages += len(b.Messages)
	s.smallest = min(s.smallest, len(b.Messages))
	for _, m := range b.Messages {
		key := b.Batcher + "/" + b.Key
		if m.Sequence < s.last[key] {
			s.broken = fmt.Sprintf("of %s came %d after %d", key, m.Sequence, s.last[key])
		}
		s.last[key] = m.Sequence
	}
	return nil
}

// keyed gives messages so many batch keys in turn.
func keyed(keys int) func(*message.Message) message.Patch {
	return func(m *message.Message) message.Patch {
		return message.Patch{SetBatchKey: true, BatchKey: strconv.Itoa(number(m) % keys)}
	}
}

// byKey is the partition that a message's batch key belongs to.
func byKey(keys int) *pipeline.Partition {
	return &pipeline.Partition{Field: "key", Value: func(m *message.Message) string { return strconv.Itoa(number(m) % keys) }}
}

// hours is a shape whose batches never come by their timeout.
func hours(limit, size int, s pipeline.Sink) pipeline.Config {
	config := shape(25, 50, batcher("default", size, s))
	config.MaxInFlight = limit
	config.Batchers[0].BatchTimeout = time.Hour
	return config
}

// However many places open batches have, the pipeline never waits for their
// timeout: what keeps intake from more is emitted, and no more of it than need be.
func TestOpenBatchesMakeRoom(t *testing.T) {
	const events, limit, size, keys = 20_000, 1000, 10, 500
	for name, c := range map[string]struct {
		keys   int
		least  float64 // messages in a batch, on average
		change func(*pipeline.Config, *plugin)
	}{
		"few more keys than there is room for": {keys: 150, least: 9},
		"many":                                 {keys: keys, least: 2.7},
		"more than there is room for":          {keys: 5000, least: 1},
		"a batch larger than what may be in flight": {keys: 1, least: 999, change: func(c *pipeline.Config, _ *plugin) {
			c.Batchers[0].BatchSize = 5000
		}},
		"bytes": {keys: keys, least: 2.7, change: func(c *pipeline.Config, _ *plugin) {
			c.MaxInFlight, c.MaxInFlightBytes = 0, 5*limit
		}},
		"a small room": {keys: keys, least: 1, change: func(c *pipeline.Config, _ *plugin) { c.MaxInFlight = 1 }},
		"slots": {keys: keys, least: 2.7, change: func(c *pipeline.Config, _ *plugin) {
			c.Processors.Concurrency, c.Producer.Concurrency, c.Batchers[0].Concurrency = 3, 2, 3
		}},
		"partitions": {keys: keys, least: 2.7, change: func(c *pipeline.Config, _ *plugin) {
			c.Processors.Concurrency, c.Processors.PartitionBy = 3, byKey(keys)
			c.Batchers[0].Concurrency, c.Batchers[0].PartitionBy = 3, byKey(keys)
			c.Failures.Retry.KeepOrder = true
		}},
		"batchers": {keys: keys, least: 2.7, change: func(c *pipeline.Config, p *plugin) {
			other := c.Batchers[0]
			other.Name = "other"
			c.Batchers = append(c.Batchers, other)
			key := p.message
			p.message = func(m *message.Message) message.Patch {
				patch := key(m)
				patch.SetBatcher, patch.Batcher = true, [...]string{"default", "other"}[number(m)%2]
				return patch
			}
		}},
		"of one several": {keys: keys, least: 8, change: func(_ *pipeline.Config, p *plugin) {
			p.message = func(m *message.Message) (patch message.Patch) {
				for i := range 3 {
					patch.Outputs = append(patch.Outputs, message.Output{SetBatchKey: true, BatchKey: strconv.Itoa((number(m) + i*i) % keys)})
				}
				return patch
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, in, p := &tally{}, newSource(), &plugin{message: keyed(c.keys)}
				config := hours(limit, size, out)
				if c.change != nil {
					c.change(&config, p)
				}
				in.push(numbers(1, events)...)
				in.end(io.EOF)
				began := time.Now()
				r := start(t, config, in, p)
				if err := <-r.done; err != nil {
					t.Fatal(err)
				}
				r.balanced(0)
				b := r.Books()
				if took := time.Since(began); took > 0 || b.SettledOK() != events {
					t.Errorf("after %v %d of %d are ok", took, b.SettledOK(), events)
				}
				if out.broken != "" && config.Batchers[0].PartitionBy != nil {
					t.Error(out.broken)
				}
				all := out.batches[message.TriggerSize] + out.batches[message.TriggerFlush]
				if average := float64(out.messages) / float64(all); average < c.least {
					t.Errorf("a batch has %.1f messages on average: %v", average, out.batches)
				}
			})
		})
	}
}

// While something moves, batches are left to fill, however full the pipeline is.
func TestOpenBatchesFillWhileSomethingMoves(t *testing.T) {
	slow := func(*message.Batch) error { time.Sleep(10 * time.Millisecond); return nil }
	for name, c := range map[string]struct {
		keys, limit int
		change      func(*pipeline.Config, *plugin, *tally)
	}{
		"the sink":                     {20, 300, func(_ *pipeline.Config, _ *plugin, s *tally) { s.before = slow }},
		"as many as there is room for": {1, 10, func(*pipeline.Config, *plugin, *tally) {}},
		"the handler": {1, 10, func(_ *pipeline.Config, p *plugin, _ *tally) {
			p.message = func(*message.Message) message.Patch { time.Sleep(time.Millisecond); return message.Patch{} }
		}},
		"the source": {1, 10, func(c *pipeline.Config, _ *plugin, _ *tally) {
			c.Producer.RateLimit = pipeline.RateLimit{Messages: 1, Interval: time.Millisecond}
		}},
		"handle_failed": {5, 50, func(_ *pipeline.Config, p *plugin, _ *tally) {
			p.batch = func(b *message.Batch) message.BatchResult {
				return message.FailAll(len(b.Messages), message.Failed(message.Handler, "no"))
			}
			p.failed = func(f []message.Failure) ([]message.OnFailure, message.Outcome) {
				time.Sleep(10 * time.Millisecond)
				return make([]message.OnFailure, len(f)), message.Outcome{}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, in, p := &tally{}, newSource(), &plugin{message: keyed(c.keys)}
				var flushed int
				p.batch = func(b *message.Batch) message.BatchResult { return echo(b) }
				config := hours(c.limit, 10, out)
				c.change(&config, p, out)
				handle := p.batch
				p.batch = func(b *message.Batch) message.BatchResult {
					if b.Trigger != message.TriggerSize {
						flushed++
					}
					return handle(b)
				}
				r := start(t, config, in, p)
				in.push(numbers(1, 2000)...)
				time.Sleep(time.Minute)
				r.balanced(0)
				if flushed > 0 {
					t.Errorf("%d batches did not fill", flushed)
				}
				r.drain(p)
			})
		})
	}
}

// A batch that need not make room for others waits for its timeout.
func TestOpenBatchesWaitForTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in, p := &sink{}, newSource(), &plugin{}
		config := shape(0, 10, batcher("default", 100, out))
		config.MaxInFlight = 10
		r := start(t, config, in, p)
		in.push(numbers(1, 9)...)
		time.Sleep(999 * time.Millisecond)
		r.balanced(9)
		in.push(10)
		synctest.Wait()
		r.balanced(0)
		if got := out.delivered(); len(got) != 1 || !strings.HasPrefix(got[0], "default/ flush [1 2") {
			t.Errorf("batches: %v", got)
		}
		r.drain(p)
	})
}

// What a halted partition holds is not there for others; those go on.
func TestOpenBatchesMakeRoomBesideAHaltedPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in := &tally{}, newSource()
		p := &plugin{message: func(m *message.Message) (patch message.Patch) {
			if number(m) == 2 {
				patch.Outcome = message.Failed(message.Handler, "poison")
			}
			return patch
		}}
		config := hours(100, 50, out)
		config.Processors.PartitionBy = byParity
		config.Failures.OnFailure = message.HaltPartition
		r := start(t, config, in, p)
		for n := range 90 { // 2 to 180 wait
			in.push(2*n + 2)
		}
		for n := range 1000 {
			in.push(2*n + 1)
		}
		synctest.Wait()
		r.balanced(90)
		if out.messages != 1000 || out.smallest < 10 {
			t.Errorf("%d delivered, in batches of at least %d", out.messages, out.smallest)
		}
		r.cancel()
		<-r.done //nolint:errcheck // what waits is unsettled
	})
}

// While a sink is down, what is to be tried again comes back one by one: it
// makes no batches of one.
func TestRetriesMakeNoSmallBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := time.Now().Add(10 * time.Minute)
		tries, few := 0, 0
		out, in, p := &tally{}, newSource(), &plugin{}
		out.before = func(b *message.Batch) error {
			tries++
			if len(b.Messages) < 5 {
				few++
			}
			if time.Now().Before(up) {
				return errBroken
			}
			return nil
		}
		config := hours(100, 10, out)
		config.Batchers[0].BatchTimeout = 5 * time.Second
		config.Failures.OnFailure, config.Failures.Retry.MaxAttempts = message.Retry, 1000
		r := start(t, config, in, p)
		in.push(numbers(1, 1000)...)
		time.Sleep(time.Hour)
		r.balanced(0)
		if few*10 > tries {
			t.Errorf("%d of %d batches had fewer than 5 messages", few, tries)
		}
		if got := r.Books().SettledOK(); got != 1000 {
			t.Errorf("%d of 1000 are ok", got)
		}
		r.drain(p)
	})
}

// What is given back to the source takes a while, and makes room by itself.
func TestUnlockingMakesNoSmallBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, small := &unlocking{source: newSource(), can: true}, 0
		p := &plugin{message: keyed(5), batch: func(b *message.Batch) message.BatchResult {
			if b.Trigger != message.TriggerSize {
				small++
			}
			return message.FailAll(len(b.Messages), message.Failed(message.Handler, "no"))
		}}
		config := hours(50, 10, &tally{})
		config.Failures.OnFailure = message.Unlock
		pl, err := pipeline.New(config, in, p)
		if err != nil {
			t.Fatal(err)
		}
		r := runPipeline(t, pl)
		in.push(numbers(1, 2000)...)
		time.Sleep(time.Hour)
		r.balanced(0)
		if small > 0 {
			t.Errorf("%d batches did not fill", small)
		}
		r.drain(p)
	})
}
