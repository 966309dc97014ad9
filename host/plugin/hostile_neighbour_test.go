package plugin_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/plugin"
)

// badNeighbours do nothing but harm, in every call.
var badNeighbours = []string{
	"spin", "unreachable_everywhere", "log_flood", "log_flood_of_long_lines",
	"memory_grow_bomb", "exponential_calls", "recursion_direct", "yield_forever", "exit_zero",
}

// neighbourhood is a plugin that is observed, and one that behaves and is as
// busy as can be, to be compared with a bad one.
type neighbourhood struct {
	engine         *plugin.Engine
	observed, good *plugin.Slot
}

func newNeighbourhood(t testing.TB) *neighbourhood {
	t.Helper()
	engine, _ := open(t, plugin.Options{})
	n := &neighbourhood{engine: engine}
	n.observed, n.good = n.slot(t, "busy"), n.slot(t, "busy")
	return n
}

// slot runs a module that never gets a rest, however often it fails.
func (n *neighbourhood) slot(t testing.TB, name string) *plugin.Slot {
	t.Helper()
	return n.restless(t, name, 1<<30)
}

// restless runs a module that gets a rest after so many failures.
func (n *neighbourhood) restless(t testing.TB, name string, failures int) *plugin.Slot {
	t.Helper()
	deadline := plugin.Limit{Deadline: 5 * time.Millisecond}
	return newSlot(t, load(t, n.engine, module(t, name), plugin.Settings{
		Pipeline: name, Limits: plugin.Limits{Message: deadline, MemoryPages: 1024, Failures: failures},
	}))
}

// ratio is the observed plugin's throughput beside a bad neighbour, divided by
// that beside the good one: the median of pairs of turns, in alternating order.
func (n *neighbourhood) ratio(bad *plugin.Slot, pairs int, turn time.Duration) float64 {
	var ratios []float64
	for i := range pairs {
		var beside [2]float64
		for j := range 2 {
			who := (i + j) % 2
			beside[who] = n.beside([2]*plugin.Slot{n.good, bad}[who], turn)
		}
		ratios = append(ratios, beside[1]/beside[0])
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// beside is how many messages a second the observed plugin handles while the
// neighbour is busy.
func (n *neighbourhood) beside(neighbour *plugin.Slot, turn time.Duration) float64 {
	var (
		running sync.WaitGroup
		stop    atomic.Bool
		begun   = make(chan struct{})
	)
	running.Go(func() {
		close(begun)
		for !stop.Load() {
			neighbour.HandleMessage(attack())
		}
	})
	<-begun
	handled, began := 0, time.Now()
	for time.Since(began) < turn {
		if n.observed.HandleMessage(attack()).OK() {
			handled++
		}
	}
	took := time.Since(began)
	stop.Store(true)
	running.Wait()
	return float64(handled) / took.Seconds()
}

// Beside a plugin that only harms, another keeps at least 90 % of the
// throughput that it has beside one that behaves and is as busy.
func TestNeighbour(t *testing.T) {
	n := newNeighbourhood(t)
	for _, name := range badNeighbours {
		t.Run(name, func(t *testing.T) {
			bad, best := n.slot(t, "hostile/"+name), 0.0
			for attempt := 0; attempt < 3 && best < 0.9; attempt++ {
				best = max(best, n.ratio(bad, 7, 20*time.Millisecond))
			}
			if best < 0.9 {
				t.Errorf("%.2f of the throughput is left, want at least 0.90", best)
			}
		})
	}
}

// A plugin that fills its memory takes more than its processor: the bandwidth of
// the memory, which nothing divides. Its rest is what leaves the others theirs.
func TestNeighbourAtRest(t *testing.T) {
	n := newNeighbourhood(t)
	best := 0.0
	for attempt := 0; attempt < 3 && best < 0.9; attempt++ {
		bad := n.restless(t, "hostile/memory_fill_forever", 5)
		end := time.AfterFunc(time.Second, bad.Interrupt)
		best = max(best, n.beside(bad, 600*time.Millisecond)/n.beside(n.good, 600*time.Millisecond))
		end.Stop()
		bad.Interrupt()
	}
	if best < 0.9 {
		t.Errorf("%.2f of the throughput is left, want at least 0.90", best)
	}
}

// BenchmarkNeighbour reports what TestNeighbour asserts, over longer turns.
func BenchmarkNeighbour(b *testing.B) {
	n := newNeighbourhood(b)
	for _, name := range badNeighbours {
		b.Run(name, func(b *testing.B) {
			bad := n.slot(b, "hostile/"+name)
			var ratio float64
			for b.Loop() {
				ratio = n.ratio(bad, 11, 200*time.Millisecond)
			}
			b.ReportMetric(ratio, "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}
