package plugin

import "time"

// How much of a processor a slot may spend on making instances in place of
// those that were lost: a fifth, and what is worth 20 ms of it at once.
const (
	paceShare  = 5
	paceCredit = 100 * time.Millisecond
	// clearRate is how many bytes of memory a nanosecond of making is worth:
	// what was taken has to be cleared and given back.
	clearRate = 2
)

// pace spaces out the making of instances. A plugin that loses one at every
// other message never trips the breaker, and would else take more than the
// processor that its slot is: instances are made beside it.
type pace struct{ until time.Time }

// charge counts an instance that took so long to make and had so much memory
// when it was lost, in bytes.
func (p *pace) charge(took time.Duration, memory uint32) {
	now := time.Now()
	if p.until.Before(now) {
		p.until = now
	}
	p.until = p.until.Add(paceShare * (took + time.Duration(memory/clearRate)))
}

// delay is how long the next instance has to wait: not at all, if it is not above 0.
func (p *pace) delay() time.Duration { return max(0, time.Until(p.until)) - paceCredit }
