package pipeline_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
)

var seeds = flag.Uint64("seeds", 200, "how many random pipelines TestChaos runs")

// TestChaos runs random shapes with random failures, retries, outputs, slow
// handlers and slow, failing sinks, changes the rate limit, looks at the books
// at random moments, with and without a journal of an earlier run, and drains at a random one: every message that was pulled
// settles exactly once, and is acknowledged exactly once; where order is to be
// kept, each partition's messages are handled in order. A failing seed is run
// alone with -run 'TestChaos/seed_7$'.
func TestChaos(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { chaos(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func chaos(t *testing.T, random *rand.Rand) {
	roll := shared(random)
	in, out := newSource(), chaosSink{roll}
	config := chaosShape(random, out)
	seen := &order{last: map[string]int{}}
	p := chaosPlugin(roll, seen)
	left, j := 0, newJournal()
	if random.IntN(2) == 0 {
		left = random.IntN(300)
		j.put(numbers(1, left)...)
		config.Journal = j
	}
	in.took = time.Duration(random.IntN(2)*random.IntN(100)) * time.Millisecond
	r := start(t, config, in, p)
	total := left
	for range 1 + random.IntN(10) {
		n := 1 + random.IntN(300)
		in.push(numbers(total+1, total+n)...)
		total += n
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		if random.IntN(5) == 0 {
			limit := pipeline.RateLimit{Messages: 50 + random.IntN(500), Interval: time.Duration(1+random.IntN(500)) * time.Millisecond}
			if err := r.SetRateLimit(limit, random.IntN(2) == 0); err != nil {
				t.Error(err)
			}
		}
		b := r.Books()
		if b.Received != b.InFlight+b.SettledTotal() {
			t.Errorf("the books do not balance: %+v", b)
		}
		if b.InFlight > int64(config.MaxInFlight) {
			t.Errorf("%d in flight, of at most %d", b.InFlight, config.MaxInFlight)
		}
	}
	r.drain(p)
	once := map[string]int{}
	for _, call := range in.acked() {
		for _, ack := range call {
			id, _, _ := strings.Cut(ack, ":")
			once[id]++
		}
	}
	left -= len(j.left) // a later run takes those up
	if len(once) != in.pulled()+left || int64(len(once)) != r.Books().Received {
		t.Errorf("pulled %d, left %d, received %d, acked %d", in.pulled(), left, r.Books().Received, len(once))
	}
	if config.Journal != nil && len(j.settled) != len(once) {
		t.Errorf("the journal settled %d of %d", len(j.settled), len(once))
	}
	// Without batchers, so that what was handled is done with; and one producer,
	// whose order it is.
	ordered := config.Failures.Retry.KeepOrder && len(config.Batchers) == 0 && config.Producer.Concurrency == 1 && p.failed == nil
	if ordered && seen.broken != "" {
		t.Error(seen.broken)
	}
	for id, n := range once {
		if n != 1 {
			t.Errorf("message %s was acked %d times", id, n)
		}
	}
}

func chaosShape(random *rand.Rand, s pipeline.Sink) pipeline.Config {
	maxDemand := 1 + random.IntN(50)
	c := shape(random.IntN(maxDemand), maxDemand)
	c.Shutdown = time.Hour
	c.MaxInFlight = 1 + random.IntN(500)
	c.Producer.Concurrency = 1 + random.IntN(3)
	if random.IntN(2) == 0 {
		c.Processors.PartitionBy = byLastDigit
		c.Failures.Retry.KeepOrder = random.IntN(2) == 0
	}
	if random.IntN(2) == 0 {
		c.Failures.OnFailure = message.Retry
		c.Failures.Retry.MaxAttempts = 1 + random.IntN(4)
	}
	c.Processors.Concurrency = 1 + random.IntN(4)
	for i := range random.IntN(4) {
		b := batcher(fmt.Sprint("b", i), 1+random.IntN(20), s)
		b.Concurrency = 1 + random.IntN(3)
		b.BatchTimeout = time.Duration(1+random.IntN(2000)) * time.Millisecond
		b.MaxOpen, b.BatchBytes = 1+random.IntN(5), 1+random.IntN(100)
		if random.IntN(2) == 0 {
			b.PartitionBy = byLastDigit
		}
		c.Batchers = append(c.Batchers, b)
	}
	return c
}

var byLastDigit = &pipeline.Partition{Field: "digit", Value: func(m *message.Message) string { return m.ID[len(m.ID)-1:] }}

// order checks that each partition's messages are handled well in order.
type order struct {
	mu     sync.Mutex
	last   map[string]int
	broken string
}

func (o *order) handled(m *message.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	partition := byLastDigit.Value(m)
	if number(m) < o.last[partition] {
		o.broken = fmt.Sprintf("message %s was handled after %d", m.ID, o.last[partition])
	}
	o.last[partition] = number(m)
}

// dice rolls 0 to n-1, from any goroutine.
type dice func(n int) int

func shared(random *rand.Rand) dice {
	var mu sync.Mutex
	seeded := rand.New(rand.NewPCG(random.Uint64(), 2))
	return func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return seeded.IntN(n)
	}
}

func chaosPlugin(roll dice, seen *order) *plugin {
	p := &plugin{
		message: func(m *message.Message) message.Patch {
			if roll(20) == 0 {
				time.Sleep(time.Duration(roll(50)) * time.Millisecond)
			}
			p := message.Patch{
				SetBatcher: true, Batcher: fmt.Sprint("b", roll(4)), // sometimes unknown
				SetBatchKey: true, BatchKey: fmt.Sprint(roll(5)),
				SetFlush: true, Flush: roll(10) == 0,
			}
			if roll(10) == 0 {
				p.Outcome = message.Failed(message.Trap, "chaos")
				p.Retryable, p.OnFailure = roll(2) == 0, []message.OnFailure{0, 0, message.Drop, message.DeadLetter}[roll(4)]
				return p
			}
			for range roll(4) * roll(2) {
				p.Outputs = append(p.Outputs, message.Output{SetBatcher: true, Batcher: fmt.Sprint("b", roll(4)), SetBatchKey: true, BatchKey: fmt.Sprint(roll(5))})
			}
			seen.handled(m)
			return p
		},
		batch: func(b *message.Batch) message.BatchResult {
			if roll(10) == 0 {
				return message.FailAll(len(b.Messages), message.Failed(message.Trap, "chaos"))
			}
			r := echo(b)
			failed := message.Failed(message.Handler, "chaos")
			r.Outcomes[roll(len(r.Outcomes))] = failed
			return r
		},
	}
	if roll(2) == 0 {
		p.failed = func(fs []message.Failure) ([]message.OnFailure, message.Outcome) {
			actions := make([]message.OnFailure, len(fs))
			for i := range actions {
				actions[i] = message.OnFailure(roll(5)) // also to halt, where that can be
				if actions[i] == message.HaltPartition {
					actions[i] = message.Drop
				}
			}
			return actions, message.Outcome{}
		}
	}
	if roll(2) == 0 {
		p.prepare = func(ms []*message.Message) []message.Patch {
			patches := make([]message.Patch, len(ms))
			if roll(10) == 0 {
				patches[roll(len(ms))].Outcome = message.Failed(message.Handler, "chaos")
			}
			return patches
		}
	}
	return p
}

type chaosSink struct{ roll dice }

func (s chaosSink) Deliver(context.Context, *message.Batch, []message.Record) error {
	time.Sleep(time.Duration(s.roll(100)) * time.Millisecond)
	if s.roll(10) == 0 {
		return errBroken
	}
	return nil
}
