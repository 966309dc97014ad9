package pipeline

import "sync"

// demand is what the processors have asked for and no producer has brought
// yet, as credit by processor, and what may be in flight at all. A producer
// promises a part of it before it pulls, so that producers never bring more
// than was asked for and there is room for.
//
// With partitions a message goes to its own processor, whatever that has asked
// for: its credit may fall below zero, and that of the others is theirs still.
// So a processor that is stuck stalls its own messages, until they fill the
// pipeline.
type demand struct {
	mu       sync.Mutex
	credit   []int // by processor
	promised int
	inFlight int
	bytes    int64
	maxIn    int
	maxBytes int64
	wake     chan struct{}
	onFull   func() // called when what came has filled the pipeline
}

// newDemand makes the demand of n processors with each credit, of which so many
// messages and bytes may be in flight.
func newDemand(n, credit, maxIn int, maxBytes int64, onFull func()) *demand {
	d := &demand{credit: make([]int, n), maxIn: maxIn, maxBytes: maxBytes, wake: make(chan struct{}, 1), onFull: onFull}
	for i := range d.credit {
		d.credit[i] = credit
	}
	d.signal()
	return d
}

// ask adds n to what processor i has asked for.
func (d *demand) ask(i, n int) {
	if n == 0 {
		return
	}
	d.mu.Lock()
	d.credit[i] += n
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
	if d.bytes >= d.maxBytes {
		return 0
	}
	asked := 0
	for _, c := range d.credit {
		asked += max(c, 0)
	}
	n := max(min(asked-d.promised, d.maxIn-d.inFlight-d.promised), 0)
	d.promised += n
	return n
}

// received takes promised messages for pulled and assigned: as many came, with
// so many bytes. What did not come is asked for as before.
func (d *demand) received(promised, came int, bytes int64) {
	d.mu.Lock()
	d.promised -= promised
	d.inFlight += came
	d.bytes += bytes
	d.mu.Unlock()
	d.signal()
	if d.full() {
		d.onFull()
	}
}

// full reports whether nothing may be promised for what is in flight, and
// nothing is on its way from the source.
func (d *demand) full() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.promised == 0 && (d.inFlight >= d.maxIn || d.bytes >= d.maxBytes)
}

// settled takes n messages out of what is in flight.
func (d *demand) settled(n int, bytes int64) {
	d.mu.Lock()
	d.inFlight -= n
	d.bytes -= bytes
	d.mu.Unlock()
	d.signal()
}

// assign gives up to n messages to the processor that has asked for the most,
// and returns which and how many.
func (d *demand) assign(n int) (processor, count int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	processor = d.most()
	// A source that brings more than it was asked for has the rest queued:
	// nothing is dropped.
	count = min(n, max(d.credit[processor], 1))
	d.credit[processor] -= count
	return processor, count
}

// hungriest is the processor that has asked for the most.
func (d *demand) hungriest() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.most()
}

func (d *demand) most() (processor int) {
	for i, c := range d.credit {
		if c > d.credit[processor] {
			processor = i
		}
	}
	return processor
}

// charge gives a message to its own processor.
func (d *demand) charge(processor, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.credit[processor] -= n
}

func (d *demand) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}
