package plugin_test

import (
	"slices"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// overshoot is how long calls of an endless module return after their deadline,
// sorted.
func overshoot(t testing.TB, engine *plugin.Engine, name string, n int, deadline time.Duration) []time.Duration {
	t.Helper()
	limits := hostileLimits
	limits.Message.Deadline = deadline
	slot := newSlot(t, load(t, engine, hostileModule(t, name), plugin.Settings{Pipeline: "hostile", Limits: limits}))
	var late []time.Duration
	for range n {
		began := time.Now()
		got := slot.HandleMessage(attack())
		late = append(late, time.Since(began)-deadline)
		if got.Kind != message.Deadline {
			t.Fatalf("got %v %q", got.Kind, got.Reason)
		}
		if got := slot.HandleMessage(harmless()); !got.OK() {
			t.Fatalf("the next message: %v %q", got.Kind, got.Reason)
		}
	}
	slices.Sort(late)
	return late
}

// maxOvershoot is how long after its deadline a call may return.
const maxOvershoot = 10 * time.Millisecond

// A call that never ends returns soon after its deadline. A machine with other
// things to do holds calls up, a race detector more so; what the module itself
// holds up, it holds up each time, so that the quickest call tells. The
// percentiles of a quiet machine are BenchmarkOvershoot's.
func TestOvershoot(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	for _, name := range hostileEndless {
		t.Run(name, func(t *testing.T) {
			var late []time.Duration
			for range 5 {
				late = overshoot(t, engine, name, 5, 5*time.Millisecond)
				if late[0] <= maxOvershoot {
					return
				}
			}
			t.Errorf("the call returns %v after its deadline, want at most %v", late, maxOvershoot)
		})
	}
}

// BenchmarkOvershoot reports how long after a deadline of 20 ms each endless
// module's call returns.
func BenchmarkOvershoot(b *testing.B) {
	engine, _ := open(b, plugin.Options{})
	for _, name := range hostileEndless {
		b.Run(name, func(b *testing.B) {
			var late []time.Duration
			for b.Loop() {
				late = append(late, overshoot(b, engine, name, 10, 20*time.Millisecond)...)
			}
			slices.Sort(late)
			for _, p := range []struct {
				of   int
				unit string
			}{{50, "p50-ms"}, {99, "p99-ms"}, {100, "max-ms"}} {
				b.ReportMetric(late[(len(late)-1)*p.of/100].Seconds()*1000, p.unit)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
