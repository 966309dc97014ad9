package pipeline_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
)

// The cases are Broadway's own tests, retold: what is pushed, what the batch
// handlers got, and what was acknowledged, call by call.
func TestBroadway(t *testing.T) {
	type push []int
	for _, c := range []struct {
		name     string
		min, max int
		sizes    map[string]int // batchers
		message  func(*message.Message) message.Patch
		batch    func(*message.Batch) message.BatchResult
		push     []push
		batches  []string
		acks     [][]string
	}{
		{
			name: "a full batch is one batch and one ack", min: 1, max: 2, sizes: map[string]int{"default": 2},
			push:    []push{{1, 3}},
			batches: []string{"default/ size [1 3]"},
			acks:    [][]string{{"1", "3"}},
		},
		{
			name: "failed messages are acked by chunk and batch without them", min: 1, max: 2,
			sizes:   map[string]int{"default": 2},
			message: failing(message.Handler, 2, 3),
			push:    []push{{1, 2, 3, 4}},
			batches: []string{"default/ size [1 4]"},
			acks:    [][]string{{"2:handler"}, {"3:handler"}, {"1", "4"}},
		},
		{
			name: "a trap fails its own message only", min: 1, max: 4, sizes: map[string]int{"default": 2},
			message: failing(message.Trap, 2),
			push:    []push{{1, 2, 4}},
			batches: []string{"default/ size [1 4]"},
			acks:    [][]string{{"2:trap"}, {"1", "4"}},
		},
		{
			name: "an unknown batcher fails its own message only", min: 1, max: 4,
			sizes:   map[string]int{"even": 2},
			message: route(parity),
			push:    []push{{2, 3, 4}},
			batches: []string{"even/ size [2 4]"},
			acks:    [][]string{{"3:routing"}, {"2", "4"}},
		},
		{
			name: "without batchers each chunk is acked", min: 1, max: 2,
			message: route(parity), // ignored
			push:    []push{{1, 2}},
			acks:    [][]string{{"1"}, {"2"}},
		},
		{
			name: "batchers have sizes of their own", min: 20, max: 60,
			sizes:   map[string]int{"odd": 10, "even": 5},
			message: route(parity),
			push:    []push{numbers(1, 40)},
			batches: []string{
				"even/ size [12 14 16 18 20]", "even/ size [2 4 6 8 10]",
				"even/ size [22 24 26 28 30]", "even/ size [32 34 36 38 40]",
				"odd/ size [1 3 5 7 9 11 13 15 17 19]", "odd/ size [21 23 25 27 29 31 33 35 37 39]",
			},
		},
		{
			name: "flush emits at the end of the chunk", min: 0, max: 10,
			sizes: map[string]int{"odd": 10, "even": 5},
			message: func(m *message.Message) message.Patch {
				return message.Patch{SetBatcher: true, Batcher: parity(number(m)), SetFlush: true, Flush: true}
			},
			push:    []push{numbers(1, 5)},
			batches: []string{"even/ flush [2 4]", "odd/ flush [1 3 5]"},
		},
		{
			name: "flush: singles make single batches", min: 0, max: 10, sizes: map[string]int{"default": 2},
			message: func(*message.Message) message.Patch { return message.Patch{SetFlush: true, Flush: true} },
			push:    []push{{1}, {2}, {3}},
			batches: []string{"default/ flush [1]", "default/ flush [2]", "default/ flush [3]"},
		},
		{
			name: "size wins over flush", min: 0, max: 10, sizes: map[string]int{"default": 2},
			message: func(*message.Message) message.Patch { return message.Patch{SetFlush: true, Flush: true} },
			push:    []push{{1, 2, 3}},
			batches: []string{"default/ flush [3]", "default/ size [1 2]"},
		},
		{
			name: "a batch key has batches of its own", min: 0, max: 10, sizes: map[string]int{"default": 2},
			message: func(m *message.Message) message.Patch {
				return message.Patch{SetBatchKey: true, BatchKey: parity(number(m))}
			},
			push: []push{numbers(1, 10)},
			batches: []string{
				"default/even size [2 4]", "default/even size [6 8]", "default/even timeout [10]",
				"default/odd size [1 3]", "default/odd size [5 7]", "default/odd timeout [9]",
			},
		},
		{
			name: "the last batch comes by timeout", min: 0, max: 10, sizes: map[string]int{"default": 2},
			push:    []push{numbers(1, 5)},
			batches: []string{"default/ size [1 2]", "default/ size [3 4]", "default/ timeout [5]"},
			acks:    [][]string{{"1", "2"}, {"3", "4"}, {"5"}},
		},
		{
			name: "a batch is acked once, the missing failed", min: 0, max: 10, sizes: map[string]int{"default": 2},
			batch: func(b *message.Batch) message.BatchResult {
				r := echo(b)
				r.Outcomes[0] = message.Failed(message.Missing, "no result")
				return r
			},
			push:    []push{{1, 2}},
			batches: []string{"default/ size [1 2]"},
			acks:    [][]string{{"1:missing", "2"}},
		},
		{
			name: "a trap in a batch fails all of it, in order", min: 0, max: 10, sizes: map[string]int{"default": 4},
			batch: func(b *message.Batch) message.BatchResult {
				return message.FailAll(len(b.Messages), message.Failed(message.Trap, "unreachable"))
			},
			push: []push{numbers(1, 4)},
			acks: [][]string{{"1:trap", "2:trap", "3:trap", "4:trap"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, in, p := &sink{}, newSource(), &plugin{message: c.message, batch: c.batch}
				config := shape(c.min, c.max)
				for name, size := range c.sizes {
					config.Batchers = append(config.Batchers, batcher(name, size, out))
				}
				r := start(t, config, in, p)
				for _, numbers := range c.push {
					in.push(numbers...)
					synctest.Wait()
				}
				time.Sleep(2 * time.Second) // past batch_timeout, in the bubble's time
				synctest.Wait()
				r.balanced(0)
				r.drain(p)
				if got := out.delivered(); !cmp.Equal(sorted(got), c.batches) {
					t.Errorf("batches:\n%s", cmp.Diff(c.batches, sorted(got)))
				}
				if got := in.acked(); c.acks != nil && !cmp.Equal(got, c.acks) {
					t.Errorf("acks:\n%s", cmp.Diff(c.acks, got))
				}
			})
		})
	}
}

func sorted(s []string) []string { slices.Sort(s); return s }

// The timer starts at the batch's first message and later ones do not move it.
func TestBatchTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in, p := &sink{}, newSource(), &plugin{}
		r := start(t, shape(0, 10, batcher("default", 10, out)), in, p)
		for n := 1; n <= 3; n++ {
			in.push(n)
			time.Sleep(300 * time.Millisecond)
		}
		if got := out.delivered(); len(got) > 0 {
			t.Errorf("emitted before its time: %v", got)
		}
		time.Sleep(101 * time.Millisecond)
		synctest.Wait()
		if got := out.delivered(); !cmp.Equal(got, []string{"default/ timeout [1 2 3]"}) {
			t.Errorf("after the timeout: %v", got)
		}
		r.drain(p)
	})
}

// A batch that fills cancels its timer: the next batch has its full time.
func TestBatchTimeoutStartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in, p := &sink{}, newSource(), &plugin{}
		r := start(t, shape(0, 10, batcher("default", 2, out)), in, p)
		in.push(1)
		time.Sleep(900 * time.Millisecond)
		in.push(2, 3)
		time.Sleep(900 * time.Millisecond)
		if got := out.delivered(); !cmp.Equal(got, []string{"default/ size [1 2]"}) {
			t.Errorf("0.9 s after the second batch began: %v", got)
		}
		time.Sleep(101 * time.Millisecond)
		synctest.Wait()
		if got := out.delivered(); len(got) != 2 {
			t.Errorf("1 s after the second batch began: %v", got)
		}
		r.drain(p)
	})
}

func TestSinkFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in := &sink{fail: func(*message.Batch) error { return errBroken }}, newSource()
		p := &plugin{batch: func(b *message.Batch) message.BatchResult {
			r := echo(b)
			r.Outcomes[1] = message.Failed(message.Handler, "on purpose")
			return r
		}}
		r := start(t, shape(0, 10, batcher("default", 2, out)), in, p)
		in.push(1, 2)
		synctest.Wait()
		if got := in.acked(); !cmp.Equal(got, [][]string{{"1:sink", "2:handler"}}) {
			t.Errorf("acks: %v", got)
		}
		r.drain(p)
	})
}

// In flight is never more than the processors' demand for each producer, and
// what the batchers hold.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		in, p := newSource(), &plugin{message: func(*message.Message) message.Patch {
			<-gate
			return message.Patch{}
		}}
		config := shape(5, 10)
		config.Processors.Concurrency = 3
		config.Producer.Concurrency = 2
		r := start(t, config, in, p)
		in.push(numbers(1, 1000)...)
		synctest.Wait()
		if in.pulled() != 3*10*2 {
			t.Errorf("pulled %d with every slot stuck, want max_demand × slots × producers = 60", in.pulled())
		}
		r.balanced(60)
		close(gate)
		synctest.Wait()
		r.drain(p)
		if got := r.Books().Settled[message.OK]; got != 1000 {
			t.Errorf("settled %d of 1000", got)
		}
	})
}

// A stuck sink stops intake: memory is bounded by the demand and the batches.
func TestStuckSinkStopsIntake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		out := &sink{fail: func(*message.Batch) error { <-gate; return nil }}
		in, p := newSource(), &plugin{}
		config := shape(0, 10, batcher("default", 10, out))
		config.MaxInFlight = 100
		config.Batchers[0].SinkTimeout = time.Hour
		r := start(t, config, in, p)
		in.push(numbers(1, 10_000)...)
		synctest.Wait()
		if in.pulled() != 100 {
			t.Errorf("pulled %d while the sink is stuck, want max_in_flight, 100", in.pulled())
		}
		close(gate)
		time.Sleep(2 * time.Second)
		r.drain(p)
		if got := r.Books().Settled[message.OK]; got != 10_000 {
			t.Errorf("settled %d of 10000", got)
		}
	})
}

// Of a plugin that gives every message a batch key of its own, no more batches
// are open than may be: the oldest is emitted as it is.
func TestManyBatchKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in := &sink{}, newSource()
		p := &plugin{message: func(m *message.Message) message.Patch {
			return message.Patch{SetBatchKey: true, BatchKey: m.ID}
		}}
		config := shape(0, 100, batcher("default", 10, out))
		config.Batchers[0].MaxOpen = 200
		r := start(t, config, in, p)
		in.push(numbers(1, 5000)...)
		synctest.Wait()
		r.balanced(200)
		if got := out.delivered(); len(got) != 4800 || got[0] != "default/1 flush [1]" {
			t.Errorf("%d batches emitted, want all but the 200 that may be open", len(got))
		}
		r.drain(p)
		if got := r.Books().Settled[message.OK]; got != 5000 {
			t.Errorf("settled %d of 5000", got)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*pipeline.Config){
		"shutdown":      func(c *pipeline.Config) { c.Shutdown = 0 },
		"producer":      func(c *pipeline.Config) { c.Producer.Concurrency = 0 },
		"processors":    func(c *pipeline.Config) { c.Processors.Concurrency = 0 },
		"max demand":    func(c *pipeline.Config) { c.Processors.MaxDemand = 0 },
		"min demand":    func(c *pipeline.Config) { c.Processors.MinDemand = 10 },
		"negative":      func(c *pipeline.Config) { c.Processors.MinDemand = -1 },
		"twice":         func(c *pipeline.Config) { c.Batchers = append(c.Batchers, c.Batchers[0]) },
		"batch size":    func(c *pipeline.Config) { c.Batchers[0].BatchSize = 0 },
		"batch timeout": func(c *pipeline.Config) { c.Batchers[0].BatchTimeout = 0 },
		"no sink":       func(c *pipeline.Config) { c.Batchers[0].Sink = nil },
	} {
		t.Run(name, func(t *testing.T) {
			config := shape(5, 10, batcher("default", 10, &sink{}))
			change(&config)
			if _, err := pipeline.New(config, newSource(), &plugin{}); err == nil {
				t.Error("accepted")
			}
		})
	}
}
