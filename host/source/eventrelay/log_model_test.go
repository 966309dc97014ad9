package eventrelay_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	source "github.com/relayhost/relayhost/host/source/eventrelay"

	"github.com/relayhost/relayhost/host/message"
	pb "github.com/relayhost/relayhost/proto/eventrelay"

	"google.golang.org/protobuf/proto"
)

var (
	seeds = flag.Int("seeds", 2, "how many seeds the models run")
	seed  = flag.Uint64("seed", 0, "the only seed that the models run")
)

// eachSeed runs a model in virtual time.
func eachSeed(t *testing.T, model func(t *testing.T, random *rand.Rand)) {
	first, n := uint64(1), uint64(*seeds)
	if *seed > 0 {
		first, n = *seed, 1
	}
	for s := first; s < first+n; s++ {
		t.Run(fmt.Sprint("seed ", s), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { model(t, rand.New(rand.NewPCG(s, s))) })
		})
	}
}

// user is what the models shard by.
func user(m *message.Message) string {
	var e pb.Event
	if err := proto.Unmarshal(m.Event, &e); err != nil {
		panic(err)
	}
	return e.GetUserKey()
}

// pulled is what the models run.
type pulled interface {
	Pull(ctx context.Context, stop <-chan struct{}, n int) ([]*message.Message, error)
	Settle(messages []*message.Message)
}

// consumer runs a source again and again over one memory, as a host that
// crashes does.
type consumer struct {
	random *rand.Rand
	source func() pulled
	memory *memory
	// calm: it takes no time, in the end.
	calm bool
}

// run runs the source until it crashes after d.
func (c *consumer) run(t *testing.T, d time.Duration) {
	ctx, crash := context.WithTimeout(t.Context(), d)
	defer crash()
	left := c.memory.left()
	s := c.source()
	var wg sync.WaitGroup
	wg.Go(func() { // what earlier runs have left takes its time
		select {
		case <-time.After(15 * time.Minute):
			c.memory.settle(left)
			s.Settle(left)
		case <-ctx.Done():
		}
	})
	for range 1 + c.random.IntN(3) {
		random := rand.New(rand.NewPCG(c.random.Uint64(), 0))
		wg.Go(func() { c.pull(ctx, t, s, random, &wg) })
	}
	wg.Wait()
}

func (c *consumer) pull(ctx context.Context, t *testing.T, s pulled, random *rand.Rand, wg *sync.WaitGroup) {
	for {
		messages, err := s.Pull(ctx, nil, 1+random.IntN(500))
		if ctx.Err() != nil {
			return
		}
		if err != nil || len(messages) == 0 {
			t.Errorf("%d messages, %v", len(messages), err)
			return
		}
		time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond)
		if !c.calm && random.IntN(30) == 0 {
			select { // longer than the look-back
			case <-time.After(25 * time.Minute):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return // a crash before they were appended
		}
		c.memory.append(messages)
		later := time.Duration(random.ExpFloat64() * float64(time.Second))
		if !c.calm && random.IntN(30) == 0 {
			later = 25 * time.Minute
		}
		wg.Go(func() {
			select {
			case <-time.After(later):
			case <-ctx.Done():
			}
			if ctx.Err() == nil {
				c.memory.settle(messages)
				s.Settle(messages)
			}
		})
	}
}

// publish schedules events for the time to come: most in the order of their
// offsets, some late, in bursts.
func publish(random *rand.Rand, p *topic, n int, during, latest time.Duration) {
	offset, all := 0, float64(n)
	at := time.Now()
	for n > 0 {
		burst := min(n, 1+random.IntN(60))
		late := time.Duration(0)
		switch random.IntN(10) {
		case 0:
			late = time.Duration(random.Int64N(int64(latest)))
		case 1, 2:
			late = time.Duration(random.Int64N(int64(20 * time.Second)))
		}
		for range burst {
			offset += 1 + random.IntN(3)
			p.add(offset, at.Add(late))
		}
		n -= burst
		if random.IntN(3) > 0 {
			at = at.Add(time.Duration(random.ExpFloat64() * float64(during) * 45 / all))
		}
	}
}

// Every event that is published comes once and from one shard, whatever crashes,
// fails, comes late or is deleted meanwhile.
func TestLogModel(t *testing.T) {
	eachSeed(t, func(t *testing.T, random *rand.Rand) {
		p := &topic{fault: now(rand.New(rand.NewPCG(random.Uint64(), 0)), 10+random.IntN(50))}
		const latest = 4 * time.Minute
		publish(random, p, 500+random.IntN(5000), 30*time.Minute, latest)
		shards := 1 + random.IntN(3)
		consumers := make([]*consumer, shards)
		var wg sync.WaitGroup
		for i := range consumers {
			m := newMemory()
			c := &consumer{random: rand.New(rand.NewPCG(random.Uint64(), 0)), memory: m, source: func() pulled {
				return source.NewLog(p, source.LogOptions{
					Topic: "users", Shard: source.Shard{Index: i + 1, Count: shards}, ShardBy: user, Memory: m,
					Logger: newLogbook(t).logger(),
				})
			}}
			consumers[i] = c
			uptime := []time.Duration{time.Minute, 15 * time.Minute, 1000 * time.Hour}[random.IntN(3)]
			wg.Go(func() {
				for end := time.Now().Add(time.Hour); time.Now().Before(end); {
					life := time.Duration(c.random.ExpFloat64() * float64(uptime))
					c.run(t, min(life, time.Until(end)))
				}
				c.calm = true
				c.run(t, time.Minute)
			})
		}
		wg.Go(func() { p.retire(random, consumers) })
		wg.Wait()
		expectOnce(t, p, consumers)
	})
}

// Every event comes once, though the queue's answers are lost, late, or come
// when the host has crashed.
func TestReconcileModel(t *testing.T) {
	eachSeed(t, func(t *testing.T, random *rand.Rand) {
		faults := rand.New(rand.NewPCG(random.Uint64(), 0))
		p := &topic{fault: now(faults, 5+random.IntN(50)), delay: slow(rand.New(rand.NewPCG(random.Uint64(), 0)))}
		publish(random, p, 500+random.IntN(3000), 20*time.Minute, 4*time.Minute)
		m := newMemory()
		m.Forget(0)
		c := &consumer{random: random, memory: m, source: func() pulled {
			return source.New(p, source.Options{
				DestinationID: "d1", Reconcile: true, Topic: "users", Memory: m, Logger: newLogbook(t).logger(),
			})
		}}
		uptime := []time.Duration{time.Minute, 15 * time.Minute, 1000 * time.Hour}[random.IntN(3)]
		for end := time.Now().Add(time.Hour); time.Now().Before(end); {
			life := time.Duration(c.random.ExpFloat64() * float64(uptime))
			c.run(t, min(life, time.Until(end)))
		}
		c.calm = true
		c.run(t, 5*time.Minute)
		expectOnce(t, p, []*consumer{c})
	})
}

func slow(random *rand.Rand) func() time.Duration {
	var mu sync.Mutex
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(20) == 0 {
			return time.Duration(random.Int64N(int64(10 * time.Second)))
		}
		return time.Duration(random.IntN(20)) * time.Millisecond
	}
}

// retire deletes some of what has come.
func (p *topic) retire(random *rand.Rand, consumers []*consumer) {
	for range 30 {
		time.Sleep(time.Duration(random.Int64N(int64(time.Minute))))
		p.mu.Lock()
		some := random.IntN(5)
		for _, e := range p.events {
			if random.IntN(40) < some && total(consumers, e.GetId()) > 0 {
				e.deleted = true
			}
		}
		p.mu.Unlock()
	}
}

func total(consumers []*consumer, id string) (n int) {
	for _, c := range consumers {
		n += c.memory.count(id)
	}
	return n
}

func expectOnce(t *testing.T, p *topic, consumers []*consumer) {
	t.Helper()
	wrong := 0
	for _, e := range p.events {
		if n := total(consumers, e.GetId()); n != 1 {
			if wrong++; wrong < 10 {
				t.Errorf("event %s came %d times", e.GetId(), n)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d events are wrong", wrong, len(p.events))
	}
}
