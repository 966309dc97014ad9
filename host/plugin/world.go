package plugin

import (
	"crypto/rand"
	"crypto/sha256"
	"io"
	"math"
	chacha "math/rand/v2"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/sys"

	"github.com/relayhost/relayhost/host/plugin/meter"
)

// Clock says which time a guest is told.
type Clock string

// The clocks. The zero value is ClockReal.
const (
	// ClockReal is the machine's clock.
	ClockReal Clock = "real"
	// ClockCoarse is the machine's clock in steps of 10 ms, too coarse to time
	// what shares the processor.
	ClockCoarse Clock = "coarse"
	// ClockFixed stands at 2000-01-01 00:00:00 UTC when an instance is made. Only
	// a sleep moves it, and takes no time.
	ClockFixed Clock = "fixed"
)

// Random says which random bytes a guest is given.
type Random string

// The randomness. The zero value is RandomReal.
const (
	// RandomReal is the machine's.
	RandomReal Random = "real"
	// RandomSeeded depends on nothing but the event's id and on how many bytes
	// the call has drawn: the same in every run, and not secret.
	RandomSeeded Random = "seeded"
)

const (
	coarseStep = 10 * time.Millisecond
	fixedStart = 946_684_800 // 2000-01-01 in Unix seconds
	// drawAtOnce is how many random bytes are drawn between two looks at the
	// deadline: some 0.2 ms.
	drawAtOnce = 64 << 10
)

// world is what an instance is told of time and chance.
type world struct {
	clock Clock
	gauge *meter.Gauge
	moved time.Duration   // how far sleeps have moved the fixed clock
	seed  *chacha.ChaCha8 // nil for real randomness
}

func newWorld(s *Settings, gauge *meter.Gauge) *world {
	w := &world{clock: s.Clock, gauge: gauge}
	if s.Random == RandomSeeded {
		w.seed = chacha.NewChaCha8([32]byte{})
	}
	return w
}

var processStart = time.Now()

// begin begins a call about something with this name.
func (w *world) begin(name string) {
	if w.seed != nil {
		w.seed.Seed(sha256.Sum256([]byte(name)))
	}
}

// config is the WASI world of an instance: time, randomness, and nothing else.
func (w *world) config() wazero.ModuleConfig {
	resolution := sys.ClockResolution(time.Microsecond)
	if w.clock == ClockCoarse {
		resolution = sys.ClockResolution(coarseStep)
	}
	return wazero.NewModuleConfig().
		WithName("").         // instances do not see each other
		WithStartFunctions(). // _initialize is called with the instance's own checks
		WithRandSource(w).
		WithWalltime(w.walltime, resolution).
		WithNanotime(w.nanotime, resolution).
		WithNanosleep(w.sleep).
		WithOsyield(w.gauge.Yield)
}

func (w *world) walltime() (sec int64, nsec int32) {
	now := time.Now()
	switch w.clock {
	case ClockFixed:
		now = time.Unix(fixedStart, 0).Add(w.moved)
	case ClockCoarse:
		now = now.Truncate(coarseStep)
	}
	return now.Unix(), int32(now.Nanosecond()) //nolint:gosec // below 1e9
}

// nanotime is never 0: Go's runtime refuses to start then.
func (w *world) nanotime() int64 {
	switch w.clock {
	case ClockFixed:
		return 1 + int64(w.moved)
	case ClockCoarse:
		return 1 + int64(time.Since(processStart).Truncate(coarseStep))
	}
	return 1 + int64(time.Since(processStart))
}

// sleep ends at the deadline. A fixed clock is moved on instead.
func (w *world) sleep(ns int64) {
	if w.clock != ClockFixed {
		w.gauge.Sleep(time.Duration(ns))
		return
	}
	w.gauge.Yield()
	w.moved += min(max(time.Duration(ns), 0), math.MaxInt64-1-w.moved)
}

// Read draws random bytes, and is charged for as it goes: one call can ask for
// a whole memory.
func (w *world) Read(p []byte) (n int, err error) {
	for n < len(p) {
		some := p[n:min(n+drawAtOnce, len(p))]
		w.gauge.Charge(uint64(len(some)))
		if _, err := io.ReadFull(w.source(), some); err != nil {
			return n, err
		}
		n += len(some)
	}
	return n, nil
}

func (w *world) source() io.Reader {
	if w.seed != nil {
		return w.seed
	}
	return rand.Reader
}
