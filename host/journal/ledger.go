package journal

import (
	"container/heap"

	"github.com/relayhost/relayhost/host/message"
)

// ledger is what a journal holds, without the events.
type ledger struct {
	books     books // as they are in the store
	next      uint64
	bytes     int64 // of segments and dead letters
	pipelines map[string]*pipeline
}

// pipeline is what a journal holds for a pipeline.
type pipeline struct {
	number uint32
	name   string
	named  bool // the store has its name

	segments       map[uint64]*segment
	byPosition     segments // those that the source may have to read again
	unsettled      int64
	unsettledBytes int64
	held           int64 // bytes of the segments in the store
	letters        int64

	floor    int64
	hasFloor bool
	moved    bool // floor is to be written
	marks    []marks

	// recoverable are segments that were not yet recovered, and rest is what
	// is left of the last that was.
	recoverable []*segment
	rest        []*message.Message
	wake        chan struct{}
	inbox       bool
}

// stats is what others may know. The journal is locked.
func (p *pipeline) stats() PipelineStats {
	return PipelineStats{Unsettled: p.unsettled, UnsettledBytes: p.unsettledBytes, DeadLetters: p.letters, Floor: p.floor}
}

// marks are what is remembered of a pull.
type marks struct {
	segment uint64
	highest int64 // position
}

func newLedger() *ledger { return &ledger{next: 1, pipelines: map[string]*pipeline{}} }

// pipeline is the pipeline of a name, made if there is none.
func (l *ledger) pipeline(name string) *pipeline {
	p := l.pipelines[name]
	if p == nil {
		number := uint32(0)
		for _, other := range l.pipelines {
			number = max(number, other.number)
		}
		p = newPipeline(number+1, name)
		l.pipelines[name] = p
	}
	return p
}

func newPipeline(number uint32, name string) *pipeline {
	return &pipeline{number: number, name: name, segments: map[uint64]*segment{}, wake: make(chan struct{}, 1)}
}

func (l *ledger) number() uint64 {
	l.next++
	return l.next - 1
}

// add takes a segment in.
func (l *ledger) add(p *pipeline, s *segment) {
	p.segments[s.number] = s
	p.unsettled += int64(s.unsettled)
	p.unsettledBytes += s.bytes
	p.held += s.size
	l.bytes += s.size
	if !s.back {
		heap.Push(&p.byPosition, s)
	}
}

// drop takes a segment out, settled or not.
func (l *ledger) drop(p *pipeline, s *segment) {
	delete(p.segments, s.number)
	p.byPosition.drop(s)
	p.unsettled -= int64(s.unsettled)
	p.unsettledBytes -= s.bytes
	p.held -= s.size
	l.bytes -= s.size
	s.unsettled, s.bytes = 0, 0
}

// resize says how large a segment's value is.
func (l *ledger) resize(p *pipeline, s *segment, size int64) {
	grown := size - s.size
	s.size = size
	if p.segments[s.number] == s {
		p.held += grown
		l.bytes += grown
	}
}

// remember takes marks in.
func (p *pipeline) remember(m marks) {
	p.marks = append(p.marks, m)
}

// forgotten takes the marks out that are below the floor.
func (p *pipeline) forgotten() (dropped []marks) {
	kept := p.marks[:0]
	for _, m := range p.marks {
		if m.highest <= p.floor {
			dropped = append(dropped, m)
		} else {
			kept = append(kept, m)
		}
	}
	p.marks = kept
	return dropped
}

// notify says that there is something to recover.
func (p *pipeline) notify() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}
