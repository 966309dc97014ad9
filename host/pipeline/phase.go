package pipeline

import "sync/atomic"

// Phase is where a pipeline is in its life.
type Phase int32

// The phases, in their order.
const (
	// Starting: nothing is pulled yet.
	Starting Phase = iota
	// Running: messages are pulled as far as there is demand and room.
	Running
	// Draining: nothing more is pulled, and what there is is worked off.
	Draining
	// Ended: Run has returned, or is about to.
	Ended
)

// String is the phase's name in answers to people.
func (p Phase) String() string {
	return [...]string{"starting", "running", "draining", "ended"}[p]
}

// Phase is where the pipeline is. It may be called from any goroutine.
func (p *Pipeline) Phase() Phase { return p.phase.load() }

// phase goes forward only.
type phase struct{ now atomic.Int32 }

func (p *phase) load() Phase { return Phase(p.now.Load()) }

func (p *phase) advance(to Phase) {
	for now := p.now.Load(); now < int32(to) && !p.now.CompareAndSwap(now, int32(to)); {
		now = p.now.Load()
	}
}
