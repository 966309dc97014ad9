package pipeline

import "sync"

// demand is what the processors have asked for and no producer has brought
// yet, as credit by processor. A producer promises a part of it before it
// pulls, so that producers never bring more than was asked for.
type demand struct {
	mu       sync.Mutex
	credit   []int // by processor
	unpulled int   // credit that no producer has promised
	share    int   // the most that one producer promises
	wake     chan struct{}
}

// newDemand makes the demand of n processors with each credit.
func newDemand(n, credit int) *demand {
	d := &demand{credit: make([]int, n), unpulled: n * credit, wake: make(chan struct{}, 1)}
	for i := range d.credit {
		d.credit[i] = credit
	}
	d.share = d.unpulled
	d.signal()
	return d
}

// ask adds n to what processor i has asked for.
func (d *demand) ask(i, n int) {
	d.mu.Lock()
	d.credit[i] += n
	d.unpulled += n
	d.mu.Unlock()
	d.signal()
}

// promise waits for demand and takes it on; it returns 0 when stop is closed.
func (d *demand) promise(stop <-chan struct{}) int {
	for {
		select {
		case <-stop:
			return 0
		case <-d.wake:
		}
		if n := d.take(); n > 0 {
			return n
		}
	}
}

func (d *demand) take() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := max(min(d.unpulled, d.share), 0)
	d.unpulled -= n
	if d.unpulled > 0 {
		d.signal()
	}
	return n
}

// release gives back what was promised and not brought; n is negative when a
// source brought more than it was asked for.
func (d *demand) release(n int) {
	d.mu.Lock()
	d.unpulled += n
	d.mu.Unlock()
	d.signal()
}

// assign gives up to n messages to the processor that has asked for the most,
// and returns which and how many.
func (d *demand) assign(n int) (processor, count int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, c := range d.credit {
		if c > d.credit[processor] {
			processor = i
		}
	}
	// A source that brings more than it was asked for has the rest queued:
	// nothing is dropped.
	count = min(n, max(d.credit[processor], 1))
	d.credit[processor] -= count
	return processor, count
}

func (d *demand) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}
