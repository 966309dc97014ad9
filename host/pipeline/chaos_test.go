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

// TestChaos runs random shapes with random failures, slow handlers and slow,
// failing sinks, looks at the books at random moments, and drains at a random
// one: every message that was pulled settles exactly once, and is acknowledged
// exactly once. A failing seed is run alone with -run 'TestChaos/seed_7$'.
func TestChaos(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { chaos(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func chaos(t *testing.T, random *rand.Rand) {
	roll := shared(random)
	in, out, p := newSource(), chaosSink{roll}, chaosPlugin(roll)
	r := start(t, chaosShape(random, out), in, p)
	total := 0
	for range 1 + random.IntN(10) {
		n := 1 + random.IntN(300)
		in.push(numbers(total+1, total+n)...)
		total += n
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		b := r.Books()
		if b.Received != b.InFlight+b.SettledTotal() {
			t.Errorf("the books do not balance: %+v", b)
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
	if len(once) != in.pulled() || int64(len(once)) != r.Books().Received {
		t.Errorf("pulled %d, received %d, acked %d", in.pulled(), r.Books().Received, len(once))
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
	c.Producer.Concurrency = 1 + random.IntN(3)
	c.Processors.Concurrency = 1 + random.IntN(4)
	for i := range random.IntN(4) {
		b := batcher(fmt.Sprint("b", i), 1+random.IntN(20), s)
		b.Concurrency = 1 + random.IntN(3)
		b.BatchTimeout = time.Duration(1+random.IntN(2000)) * time.Millisecond
		c.Batchers = append(c.Batchers, b)
	}
	return c
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

func chaosPlugin(roll dice) *plugin {
	return &plugin{
		message: func(*message.Message) message.Patch {
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
			}
			return p
		},
		batch: func(b *message.Batch) message.BatchResult {
			if roll(10) == 0 {
				return message.FailAll(len(b.Messages), message.Failed(message.Trap, "chaos"))
			}
			r := echo(b)
			r.Outcomes[roll(len(r.Outcomes))] = message.Failed(message.Handler, "chaos")
			return r
		},
	}
}

type chaosSink struct{ roll dice }

func (s chaosSink) Deliver(context.Context, *message.Batch, []message.Record) error {
	time.Sleep(time.Duration(s.roll(100)) * time.Millisecond)
	if s.roll(10) == 0 {
		return errBroken
	}
	return nil
}
