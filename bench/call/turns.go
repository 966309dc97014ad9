package call

import (
	"runtime"
	"slices"
	"time"
)

// Times are what sides took for a message, in turns: Times[i][j] is the j-th turn of
// the i-th side.
type Times [][]time.Duration

// Turns has sides take turns of about the same length, so that what disturbs the
// machine disturbs them alike.
func Turns(sides []Side, rounds int, turn time.Duration) Times {
	calls := make([]int, len(sides))
	for i, side := range sides {
		calls[i] = max(1, int(turn/once(side)))
	}
	times := make(Times, len(sides))
	for range rounds {
		for i, side := range sides {
			began := time.Now()
			for range calls[i] {
				side.Call()
			}
			times[i] = append(times[i], time.Since(began)/time.Duration(calls[i]))
		}
	}
	return times
}

// once is what a call takes, when the side is warm.
func once(side Side) time.Duration {
	const warm, calls = 20, 20
	for range warm {
		side.Call()
	}
	began := time.Now()
	for range calls {
		side.Call()
	}
	return max(time.Since(began)/calls, 1)
}

// Median is what a message took a side in the middle of its turns.
func (t Times) Median(side int) time.Duration {
	return median(t[side])
}

// Min is the quickest turn of a side.
func (t Times) Min(side int) time.Duration { return slices.Min(t[side]) }

// Ratio is how much longer a side took than another: the middle of what each round
// says, since both saw the same machine in it.
func (t Times) Ratio(side, to int) float64 {
	ratios := make([]float64, len(t[side]))
	for i := range ratios {
		ratios[i] = float64(t[side][i]) / float64(t[to][i])
	}
	return median(ratios)
}

func median[T float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// Allocations is how often a call allocates.
func Allocations(side Side) float64 {
	const calls = 2000
	once(side)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		side.Call()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / calls
}
