package pipeline_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
)

// byParity partitions messages into even and odd ones, which differ in slots.
var byParity = &pipeline.Partition{Field: "parity", Value: func(m *message.Message) string {
	return [...]string{"even", "uneven"}[number(m)%2]
}}

// One slot handles all messages of a partition, in order; batches too.
func TestPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in := &sink{}, newSource()
		var slots slotLog
		p := &plugin{message: func(m *message.Message) message.Patch { slots.note(m); return message.Patch{} }}
		config := shape(0, 10, batcher("default", 2, out))
		config.Processors.Concurrency, config.Processors.PartitionBy = 2, byParity
		config.Batchers[0].Concurrency, config.Batchers[0].PartitionBy = 2, byParity
		r := start(t, config, in, p)
		in.push(numbers(1, 12)...)
		time.Sleep(2 * time.Second)
		r.drain(p)
		for _, half := range []string{"[1 3 5 7 9 11]", "[2 4 6 8 10 12]"} {
			if !slices.Contains(slots.lists(), half) {
				t.Errorf("no partition was handled as %s: %v", half, slots.lists())
			}
		}
		got := sorted(out.delivered())
		want := []string{
			"default/ size [1 3]", "default/ size [10 12]", "default/ size [2 4]",
			"default/ size [5 7]", "default/ size [6 8]", "default/ size [9 11]",
		}
		if !cmp.Equal(got, want) {
			t.Errorf("batches: %v", got)
		}
	})
}

// slotLog notes messages by parity, as they are handled.
type slotLog struct{ odd, even []int }

func (l *slotLog) note(m *message.Message) {
	// Each list belongs to one slot: the race detector tells if it does not.
	if n := number(m); n%2 == 0 {
		l.even = append(l.even, n)
	} else {
		l.odd = append(l.odd, n)
	}
}

func (l *slotLog) lists() []string { return []string{fmt.Sprint(l.odd), fmt.Sprint(l.even)} }

// A partition, or a batcher, that is stuck stalls its own messages only: of 200
// in turns, all 100 of the other are handled. (Broadway handles 22 in all.)
func TestStuckPartition(t *testing.T) {
	for name, setUp := range map[string]func(stuck chan struct{}) (pipeline.Config, *plugin){
		"a processor's": func(stuck chan struct{}) (pipeline.Config, *plugin) {
			config := shape(5, 10)
			config.Processors.Concurrency, config.Processors.PartitionBy = 2, byParity
			return config, &plugin{message: func(m *message.Message) message.Patch {
				if number(m)%2 == 0 {
					<-stuck
				}
				return message.Patch{}
			}}
		},
		"a batcher": func(stuck chan struct{}) (pipeline.Config, *plugin) {
			config := shape(5, 10, batcher("odd", 10, &sink{}),
				batcher("even", 10, &sink{fail: func(*message.Batch) error { <-stuck; return nil }}))
			config.Batchers[1].SinkTimeout = time.Hour
			return config, &plugin{message: route(parity)}
		},
		"a batcher's partition": func(stuck chan struct{}) (pipeline.Config, *plugin) {
			config := shape(5, 10, batcher("default", 10, &sink{}))
			config.Batchers[0].Concurrency, config.Batchers[0].PartitionBy = 2, byParity
			return config, &plugin{batch: func(b *message.Batch) message.BatchResult {
				if number(b.Messages[0])%2 == 0 {
					<-stuck
				}
				return echo(b)
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stuck := newGate()
				config, p := setUp(stuck)
				in := newSource()
				r := start(t, config, in, p)
				in.push(numbers(1, 200)...)
				time.Sleep(10 * time.Second)
				if got := r.Books().SettledOK(); got != 100 {
					t.Errorf("%d messages were handled beside the stuck ones, want 100", got)
				}
				close(stuck)
				r.drain(p)
				if got := r.Books().SettledOK(); got != 200 {
					t.Errorf("settled %d of 200", got)
				}
			})
		})
	}
}

// newGate is shut until it is closed.
func newGate() chan struct{} { return make(chan struct{}) }

// A batch never has more bytes than it may, but for a message that has by
// itself.
func TestBatchBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in := &sink{}, newSource()
		p := &plugin{message: func(m *message.Message) message.Patch {
			return message.Patch{Data: []byte(strings.Repeat("x", 10*number(m)))}
		}}
		config := shape(0, 10, batcher("default", 10, out))
		config.Batchers[0].BatchBytes = 64 // the event's digit, and 10 times as much
		r := start(t, config, in, p)
		in.push(1, 2, 3, 4, 9, 1)
		synctest.Wait()
		r.drain(p)
		want := []string{"default/ flush [1]", "default/ size [1 2 3]", "default/ size [4]", "default/ size [9]"}
		if got := sorted(out.delivered()); !cmp.Equal(got, want) {
			t.Errorf("batches: %v", got)
		}
	})
}

// Nothing is pulled beyond what may be in flight, in messages or in bytes.
func TestInFlight(t *testing.T) {
	for name, change := range map[string]func(*pipeline.Config){
		"messages": func(c *pipeline.Config) { c.MaxInFlight = 30 },
		"bytes":    func(c *pipeline.Config) { c.MaxInFlightBytes = 9 + 2*21 }, // 1 to 9, 10 to 30
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stuck := make(chan struct{})
				in, p := newSource(), &plugin{}
				config := shape(0, 5, batcher("default", 5, &sink{fail: func(*message.Batch) error { <-stuck; return nil }}))
				config.Batchers[0].SinkTimeout = time.Hour
				change(&config)
				r := start(t, config, in, p)
				in.push(numbers(1, 1000)...)
				synctest.Wait()
				if got := in.pulled(); got != 30 {
					t.Errorf("pulled %d, want 30", got)
				}
				r.balanced(30)
				close(stuck)
				r.drain(p)
				r.balanced(0)
			})
		})
	}
}
