package meter

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Why a call was ended. errors.Is finds them in what the engine returns.
var (
	ErrFuel        = errors.New("the fuel is used up")
	ErrDeadline    = errors.New("the deadline has passed")
	ErrInterrupted = errors.New("the call was interrupted")
	ErrStack       = errors.New("the stack is used up")
	// errUnmetered is what a module runs into that runs without a gauge.
	errUnmetered = errors.New("the module runs without a gauge")
)

const (
	// DefaultSlice is how many units a module runs between two looks of the
	// gauge: some 15 to 50 µs, or one walk over 30 MB of new memory.
	DefaultSlice = 60_000
	// yieldEvery is how often a running call lets others run.
	yieldEvery = time.Millisecond / 2
	// sleepStep is how long an interruption of a sleep may take.
	sleepStep = 5 * time.Millisecond
)

// Import defines the function that metered modules import. It must be there
// before they are instantiated.
func Import(ctx context.Context, runtime wazero.Runtime) error {
	i64 := []api.ValueType{api.ValueTypeI64}
	_, err := runtime.NewHostModuleBuilder(Reserved).
		NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(refillCall), i64, i64).
		Export(refill).
		Instantiate(ctx)
	return err
}

// GaugeKey is the context key under which a metered module finds its [*Gauge].
type GaugeKey struct{}

// Gauge bounds the calls of one instance, one after the other. It belongs to
// whoever makes the calls.
type Gauge struct {
	slice int64
	count api.MutableGlobal // nil until the instance is bound
	stack uint64            // the count's part that is the stack, when a call begins

	budget      int64 // units that may still be granted
	granted     int64 // units granted since Start
	limit       time.Duration
	deadline    time.Time // zero until the first look
	yielded     time.Time
	interrupted *atomic.Bool
}

// NewGauge makes a gauge with slices of so many units, at most 2^40; 0 means
// DefaultSlice. Setting interrupted, from any goroutine, ends the call that runs
// and those to
// come.
func NewGauge(slice int64, interrupted *atomic.Bool) *Gauge {
	if slice <= 0 {
		slice = DefaultSlice
	}
	return &Gauge{slice: min(slice, 1<<40), interrupted: interrupted}
}

// Context is the context to instantiate a module with, and to call it with:
// through it the module finds its gauge. Make it once for an instance.
func (g *Gauge) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, GaugeKey{}, g)
}

// Bind tells the gauge the instance's count. Until then it has none to read,
// as while the module's start function runs.
func (g *Gauge) Bind(module api.Module) {
	g.count, _ = module.ExportedGlobal(ExportCount).(api.MutableGlobal)
	if g.count != nil {
		g.stack = g.count.Get() & stackMask
	}
}

// Start begins a call with a budget of fuel, in units, and a time limit, from
// now on. It reads no clock: a call that is over within its first slice needs
// none. The call has the whole stack, whatever became of the one before.
func (g *Gauge) Start(fuel uint64, limit time.Duration) {
	g.budget = int64(min(fuel, math.MaxInt64/4)) //nolint:gosec // bounded
	g.granted, g.limit, g.deadline = 0, limit, time.Time{}
	if g.count == nil {
		return
	}
	// What is left of the last call's slice is this call's, unless that is more
	// than it may have.
	left := g.left()
	if left < 0 || left > g.budget {
		left = min(g.budget, g.slice)
	}
	g.count.Set(uint64(left)<<unitShift | g.stack) //nolint:gosec // a count
	g.granted, g.budget = left, g.budget-left
}

// left is how many units of the slice are left, below zero if it is overdrawn.
func (g *Gauge) left() int64 { return int64(g.count.Get()) >> unitShift } //nolint:gosec // a count

// Spent is how many units the call has been charged so far. Of a call that
// failed, what a loop had counted since it was entered may be missing, and what
// would have followed may be in it: the same in every run, but not exact.
func (g *Gauge) Spent() uint64 {
	if g.count == nil {
		return uint64(g.granted) //nolint:gosec // a sum of slices
	}
	return uint64(max(g.granted-g.left(), 0)) //nolint:gosec // a count
}

// Stack is how many bytes of stack a call has not given back, by the meter's
// estimate: what it had when it failed, 0 after one that returned.
func (g *Gauge) Stack() uint32 {
	if g.count == nil {
		return 0
	}
	left := int32(g.count.Get()<<(64-unitShift)>>32) >> (32 - unitShift) //nolint:gosec // the stack's bits, with their sign
	return uint32(int32(g.stack)-left) * stackUnit                       //nolint:gosec // at most 32 MiB twice
}

// Sleep waits on behalf of the call, which ends if the wait outlasts it. Its
// panics are the engine's to turn into errors.
func (g *Gauge) Sleep(d time.Duration) {
	until := time.Now().Add(d)
	for {
		g.look()
		left := min(time.Until(until), time.Until(g.deadline)+time.Nanosecond, sleepStep)
		if left <= 0 {
			return
		}
		time.Sleep(left)
	}
}

// arm fixes the deadline at the first look.
func (g *Gauge) arm(now time.Time) {
	if g.deadline.IsZero() {
		g.deadline, g.yielded = now.Add(g.limit), now
	}
}

// refillCall is refill(count) → count: what a metered module calls when its
// count is below zero. Its panics end the call.
func refillCall(ctx context.Context, _ api.Module, stack []uint64) {
	g, ok := ctx.Value(GaugeKey{}).(*Gauge)
	if !ok {
		panic(errUnmetered)
	}
	count := int64(stack[0]) //nolint:gosec // a count may be negative
	if count&stackSign != 0 {
		panic(ErrStack)
	}
	units := count >> unitShift
	stack[0] = uint64(count + (g.refill(units)-units)<<unitShift) //nolint:gosec // a count
}

// refill grants as many slices as bring the count to zero or above.
func (g *Gauge) refill(count int64) int64 {
	g.look()
	slices := (-count + g.slice - 1) / g.slice
	grant := min(max(slices, 1)*g.slice, g.budget)
	g.budget -= grant
	g.granted += grant
	if count += grant; count < 0 {
		panic(ErrFuel)
	}
	return count
}

// look ends a call whose time is over, and lets others run now and then: while
// a guest runs, the scheduler has no other chance to.
func (g *Gauge) look() {
	if g.interrupted.Load() {
		panic(ErrInterrupted)
	}
	now := time.Now()
	g.arm(now)
	if now.After(g.deadline) {
		panic(ErrDeadline)
	}
	if now.Sub(g.yielded) >= yieldEvery {
		runtime.Gosched()
		g.yielded = time.Now()
	}
}
