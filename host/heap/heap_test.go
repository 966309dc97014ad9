package heap_test

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/heap"
)

var (
	sink  []byte
	alive [][]byte
)

// collections counts those while so many bytes are allocated.
func collections(bytes int) uint32 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for n := 0; n < bytes; n += 1 << 10 {
		sink = make([]byte, 1<<10)
	}
	runtime.ReadMemStats(&after)
	return after.NumGC - before.NumGC
}

// settle collects until the runtime has adjusted the percentage, which it does
// beside us.
func settle(t *testing.T, want func(percent int) bool) {
	t.Helper()
	for began := time.Now(); time.Since(began) < 30*time.Second; {
		runtime.GC()
		if want(percentage()) {
			return
		}
	}
	t.Fatal("the percentage was not adjusted")
}

// percentage reads what is set, without setting it.
func percentage() int {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64()) //nolint:gosec // a percentage
}

func TestKeep(t *testing.T) {
	if alone(t, "TestKeep") {
		return
	}
	const allocated = 320 << 20
	usual := collections(allocated)
	heap.Keep(heap.Least)
	settle(t, func(p int) bool { return p > 100 })
	if roomy := collections(allocated); roomy > 12 || roomy*3 > usual {
		t.Errorf("%d collections for %d MB, and %d without", roomy, allocated>>20, usual)
	}
	alive = append(alive, make([]byte, 100<<20))
	settle(t, func(p int) bool { return p == 100 })
	alive = nil
	settle(t, func(p int) bool { return p > 100 })
}

func TestKeepLeavesGOGC(t *testing.T) {
	if alone(t, "TestKeepLeavesGOGC", "GOGC=70") {
		return
	}
	heap.Keep(heap.Least)
	runtime.GC()
	if p := percentage(); p != 70 {
		t.Errorf("the percentage is %d", p)
	}
}

// alone runs a test in a process of its own, and reports whether this is not it.
func alone(t *testing.T, test string, env ...string) bool {
	t.Helper()
	const mark = "RELAYHOST_HEAP_TEST"
	if os.Getenv(mark) != "" {
		return false
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+test+"$")
	for _, kept := range os.Environ() {
		if !strings.HasPrefix(kept, "GOGC=") {
			command.Env = append(command.Env, kept)
		}
	}
	command.Env = append(append(command.Env, mark+"=1"), env...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return true
}
