package pipeline

import "github.com/relayhost/relayhost/host/message"

// relieve has open batches emitted if it is they that keep more from being
// pulled: as much is in flight as may be, and nothing moves. It is called
// whenever something comes to rest; the last to do so sees the others at rest.
//
// What is to be tried again comes back, and one by one: while more messages wait
// for that than for their batches to fill, these may fill yet.
func (p *Pipeline) relieve() {
	if !p.atRest() {
		return
	}
	p.relief.Lock() // so that two do not emit twice as much
	defer p.relief.Unlock()
	if !p.atRest() || p.held() < p.retrier.len() {
		return
	}
	for _, b := range p.batchers {
		for _, l := range b.lanes {
			l.relieve()
		}
	}
}

// atRest reports whether nothing moves by itself, and nothing may come in.
func (p *Pipeline) atRest() bool {
	return p.upstream.Load() == 0 && p.working.Load() == 0 && p.demand.full()
}

// worked says that n of those that are at work are done.
func (p *Pipeline) worked(n int) {
	if p.working.Add(-int64(n)) == 0 {
		p.relieve()
	}
}

// held is how many messages lie in open batches.
func (p *Pipeline) held() (n int) {
	for _, b := range p.batchers {
		for _, l := range b.lanes {
			l.mu.Lock()
			n += l.held
			l.mu.Unlock()
		}
	}
	return n
}

// relieve emits the oldest quarter of the open batches: enough that the next
// pulls are worth their while, and the others go on filling.
func (l *batchLane) relieve() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range (len(l.open) + 3) / 4 {
		l.emit(l.oldest(), message.TriggerFlush)
	}
	l.signal()
}
