package plugin

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Why an instance was given up, beside the kinds of what failed it.
const (
	// gaveUpGrown: calls had left it larger than may be kept.
	gaveUpGrown = "outgrown"
	// gaveUpState: its state could not be put back for the next call.
	gaveUpState = "state"
)

// Usage is what a plugin has used since it was loaded.
type Usage struct {
	// Fuel is of all calls for messages and batches, in units of package meter.
	Fuel uint64
	// Discarded is how many instances were given up: by the kind of what failed
	// them, and as "outgrown" or "state".
	Discarded map[string]int64
	// Resting: the plugin fails all the time, and its calls wait.
	Resting bool
}

// usage counts for one slot, whose calls nobody else counts.
type usage struct {
	fuel      atomic.Uint64
	mu        sync.Mutex
	discarded map[string]int64
}

func (u *usage) discard(why string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.discarded == nil {
		u.discarded = make(map[string]int64)
	}
	u.discarded[why]++
}

func (u *usage) addTo(total *Usage) {
	total.Fuel += u.fuel.Load()
	u.mu.Lock()
	defer u.mu.Unlock()
	for why, n := range u.discarded {
		total.Discarded[why] += n
	}
}

// Usage sums up what the plugin's slots have used, closed ones too.
func (p *Plugin) Usage() Usage {
	p.mu.Lock()
	defer p.mu.Unlock()
	total := Usage{Fuel: p.past.Fuel, Discarded: maps.Clone(p.past.Discarded), Resting: p.breaker.resting()}
	for s := range p.slots {
		s.usage.addTo(&total)
	}
	return total
}
