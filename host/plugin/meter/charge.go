package meter

import "runtime"

// Charge takes units from the call on behalf of the host function that runs,
// and ends the call if they are not to be had, or if its time is over. Its
// panics are the engine's to turn into errors.
func (g *Gauge) Charge(units uint64) {
	g.look()
	if g.count == nil {
		return // while the start function runs, the count cannot be reached
	}
	stack, left := g.count.Get()&stackMask, g.left()-int64(min(units, maxCharge)) //nolint:gosec // bounded
	if left < 0 {
		left = g.refill(left)
	}
	g.count.Set(uint64(left)<<unitShift | stack) //nolint:gosec // a count
}

// Yield lets others run on behalf of the call, which ends if its time is over.
func (g *Gauge) Yield() {
	g.look()
	runtime.Gosched()
}

// maxCharge is the most that is charged at once, so that the count cannot
// overflow.
const maxCharge = 1 << 32
