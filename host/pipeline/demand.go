package pipeline

import (
	"sync"
	"time"
)

// demand is what the processors have asked for and no producer has brought
// yet, as credit by processor, and what may be in flight at all. A producer
// promises a part of it before it pulls, so that producers never bring more
// than was asked for, or will be while they pull, and there is room for.
//
// With partitions a message goes to its own processor, whatever that has asked
// for: its credit may fall below zero, and that of the others is theirs still.
// So a processor that is stuck stalls its own messages, until they fill the
// pipeline.
type demand struct {
	mu       sync.Mutex
	credit   []int // by processor
	promised int
	held     int // in flight, and not handed to a processor
	inFlight int
	bytes    int64
	ahead    ahead
	maxIn    int
	maxBytes int64
	wake     chan struct{}
}

// newDemand makes the demand of n processors with each credit, of which so many
// messages and bytes may be in flight.
func newDemand(n, credit, maxIn int, maxBytes int64) *demand {
	d := &demand{
		credit: make([]int, n), ahead: ahead{arrived: time.Now()},
		maxIn: maxIn, maxBytes: maxBytes, wake: make(chan struct{}, 1),
	}
	for i := range d.credit {
		d.credit[i] = credit
	}
	d.signal()
	return d
}

// ask adds n to what processor i has asked for.
func (d *demand) ask(i, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.credit[i] += n
	d.ahead.asked += n
	d.check()
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
	n := max(min(d.wanted(), d.maxIn-d.inFlight-d.promised), 0)
	d.promised += n
	return n
}

// wanted is how many messages should be pulled, whether or not they may: what
// nobody has promised, and some ahead. For those alone a pull begins once half of
// them are used up, as many small pulls cost more than a few.
func (d *demand) wanted() int {
	missing, window := d.asked()-d.held-d.promised, d.window()
	if missing <= 0 && 2*(missing+window) < window {
		return 0
	}
	return missing + window
}

func (d *demand) asked() (n int) {
	for _, c := range d.credit {
		n += max(c, 0)
	}
	return n
}

// window is how many messages may be pulled ahead: at most half of what there is
// room for beside those in the hands of processors and batchers.
func (d *demand) window() int {
	n := d.ahead.window
	if n == 0 {
		return 0
	}
	n = min(n, (d.maxIn-d.inFlight+d.held)/2)
	if room := (d.maxBytes-d.bytes)/d.ahead.size - int64(d.promised); room < int64(n) {
		n = int(room)
	}
	return max(n, 0)
}

// came says how many of n promised messages have come, with so many bytes: these
// are on their way still, the others are asked for as before.
func (d *demand) came(n, came, bytes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.promised -= n - came
	d.bytes += int64(bytes)
	d.check()
}

// arrived takes n messages that came for pulled; they are held until a processor
// gets them. There is a pull to learn from unless the journal had them.
func (d *demand) arrived(n int, pull *brought) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.promised -= n
	d.held += n
	d.inFlight += n
	if pull != nil {
		d.ahead.learn(pull, time.Now())
	}
	d.check()
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
	defer d.mu.Unlock()
	d.inFlight -= n
	d.bytes -= bytes
	d.check()
}

// assign gives up to n messages that are held to the processor that has asked for
// the most, and returns which and how many: none if none has asked.
func (d *demand) assign(n int) (processor, count int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	processor = d.most()
	count = min(n, max(d.credit[processor], 0))
	d.credit[processor] -= count
	d.held -= count
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

// charge gives up to n messages that are held to their own processor, and returns
// how many: none if no processor has asked.
func (d *demand) charge(processor, n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n = min(n, d.asked())
	d.credit[processor] -= n
	d.held -= n
	return n
}

// check wakes a producer if there is something to pull.
func (d *demand) check() {
	if d.wanted() > 0 {
		d.signal()
	}
}

func (d *demand) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}
