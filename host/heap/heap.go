// Package heap gives Go's garbage collector room. A host's own memory is small, a
// few megabytes beside what the instances have, and Go collects when a heap has
// doubled: a hundred times a second for one that handles a million messages in
// that time. Call [Keep] once, in main.
package heap

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Least is how much a host allocates between two collections at least, in bytes.
// Where what is alive is larger it is as much as that, Go's own measure.
const Least = 32 << 20

const (
	// goLeast is the least heap with a percentage of 100 (GOGC in package runtime).
	goLeast = 4 << 20
	usual   = 100
)

// Keep has collections come when at least so many bytes were allocated since the
// last one, from now on. It changes the process's percentage, and does nothing if
// the user has set GOGC. A memory limit (GOMEMLIMIT) holds as ever.
func Keep(least uint64) {
	if os.Getenv("GOGC") == "" {
		adjust(goal{least: least})
	}
}

// goal is what is wanted, and the percentage that was set for it last.
type goal struct {
	least uint64
	set   int
}

// cycle becomes garbage at once, and is told of at the next collection.
type cycle struct{ _ [16]byte }

// adjust sets the percentage for what is alive now, and again after each
// collection. To set it stops every goroutine, so that it is left if it fits.
func adjust(g goal) {
	if p := percent(live(), g.least); p != g.set {
		debug.SetGCPercent(p)
		g.set = p
	}
	runtime.AddCleanup(new(cycle), adjust, g)
}

// percent is the one with which at least so many bytes are allocated beside those
// that are alive.
func percent(live, least uint64) int {
	p := least / (max(live, goLeast) / usual)
	return int(min(max(p, usual), math.MaxInt32)) //nolint:gosec // bounded
}

// live is what the last collection left, in bytes.
func live() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
