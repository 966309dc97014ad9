package plugin_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/plugin"
)

// badNeighbours do nothing but harm, in every call.
var badNeighbours = []struct {
	name string
	// rested: what is asserted is that a plugin that fails without end gets its
	// rests. The others harm nobody even if they get none.
	rested bool
}{
	{name: "spin"},
	{name: "exponential_calls"},
	{name: "yield_forever"},
	{name: "memory_fill_forever"},
	{name: "log_flood"},
	{name: "log_flood_of_long_lines"},
	{name: "memory_grow_bomb", rested: true},
	{name: "recursion_direct", rested: true},
	{name: "unreachable_everywhere", rested: true},
	{name: "exit_zero", rested: true},
}

// neighbourhood is a plugin that is observed, and one that behaves and is as
// busy as can be, to be compared with a bad one.
type neighbourhood struct {
	engine   *plugin.Engine
	observed *plugin.Slot
	good     *plugin.Plugin
}

func newNeighbourhood(t testing.TB) *neighbourhood {
	t.Helper()
	engine, _ := open(t, plugin.Options{})
	n := &neighbourhood{engine: engine}
	n.observed, n.good = newSlot(t, n.plugin(t, "busy", false)), n.plugin(t, "busy", false)
	return n
}

func (n *neighbourhood) plugin(t testing.TB, name string, rested bool) *plugin.Plugin {
	t.Helper()
	limits := plugin.Limits{Message: plugin.Limit{Deadline: 5 * time.Millisecond}, MemoryPages: 1024}
	if !rested {
		limits.Failures = 1 << 30
	}
	return load(t, n.engine, module(t, name), plugin.Settings{Pipeline: name, Limits: limits})
}

// ratio is the observed plugin's throughput beside a bad neighbour, divided by
// that beside the good one: the median of pairs of turns, in alternating order.
func (n *neighbourhood) ratio(t testing.TB, bad *plugin.Plugin, pairs int, turn time.Duration) float64 {
	t.Helper()
	var ratios []float64
	for i := range pairs {
		var beside [2]float64
		for j := range 2 {
			who := (i + j) % 2
			beside[who] = n.beside(t, [2]*plugin.Plugin{n.good, bad}[who], turn)
		}
		ratios = append(ratios, beside[1]/beside[0])
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// beside is how many messages a second the observed plugin handles while the
// neighbour is busy.
func (n *neighbourhood) beside(t testing.TB, neighbour *plugin.Plugin, turn time.Duration) float64 {
	t.Helper()
	slot, err := neighbour.NewSlot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var (
		running sync.WaitGroup
		stop    atomic.Bool
		begun   = make(chan struct{})
	)
	running.Go(func() {
		close(begun)
		for !stop.Load() {
			slot.HandleMessage(attack())
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
	slot.Interrupt() // out of a rest, too
	running.Wait()
	_ = slot.Close(t.Context()) // what teardown says of the interruption
	return float64(handled) / took.Seconds()
}

// Beside a plugin that only harms, another keeps at least 90 % of the
// throughput that it has beside one that behaves and is as busy.
func TestNeighbour(t *testing.T) {
	n := newNeighbourhood(t)
	for _, b := range badNeighbours {
		t.Run(b.name, func(t *testing.T) {
			bad, best := n.plugin(t, "hostile/"+b.name, b.rested), 0.0
			for attempt := 0; attempt < 10 && best < 0.9; attempt++ {
				best = max(best, n.ratio(t, bad, 9, 20*time.Millisecond))
			}
			if best < 0.9 {
				t.Errorf("%.2f of the throughput is left, want at least 0.90", best)
			}
		})
	}
}

// BenchmarkNeighbour reports the same over longer turns, and with no rest for
// those that fail: so long as one evades the breaker, it takes more.
func BenchmarkNeighbour(b *testing.B) {
	n := newNeighbourhood(b)
	for _, bad := range badNeighbours {
		for _, rested := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/rested=%v", bad.name, rested), func(b *testing.B) {
				p := n.plugin(b, "hostile/"+bad.name, rested)
				var ratio float64
				for b.Loop() {
					ratio = n.ratio(b, p, 11, 200*time.Millisecond)
				}
				b.ReportMetric(ratio, "ratio")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
