package flow

import (
	"context"
	"io"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relayhost/relayhost/bench/guests"
	"github.com/relayhost/relayhost/host/message"
)

// events is how many different events a source has.
const events = 1024

// store has the events that sources give.
type store struct {
	ids    []string
	frames [][]byte
}

// source gives the same events over and over: as many as it is asked for or, with a
// rate, those that are due.
type source struct {
	*store
	rate     float64 // events a second, 0 for as many as can be
	began    time.Time
	given    atomic.Int64
	settled  atomic.Int64
	failed   atomic.Int64
	reason   atomic.Value // of a failure
	measured atomic.Bool

	mu    sync.Mutex
	times []time.Duration // from when an event was due until it was settled
}

func newStore(data string) *store {
	s := &store{}
	for i := range int32(events) {
		s.ids = append(s.ids, "event-"+strconv.Itoa(int(i)))
		s.frames = append(s.frames, guests.Event(i, data))
	}
	return s
}

// Pull makes messages in one piece, as EventRelay's source does.
func (s *source) Pull(_ context.Context, stop <-chan struct{}, n int) ([]*message.Message, error) {
	if s.rate > 0 {
		n = s.due(stop, n)
	}
	select {
	case <-stop:
		return nil, io.EOF
	default:
	}
	first := int(s.given.Add(int64(n))) - n
	block, messages := make([]message.Message, n), make([]*message.Message, n)
	for i := range block {
		m, at := &block[i], first+i
		m.ID, m.Event, m.Position = s.ids[at%events], s.frames[at%events], int64(at)
		messages[i] = m
	}
	return messages, nil
}

// at is when an event is due, since the source began.
func (s *source) at(event int) time.Duration {
	return time.Duration(float64(event) / s.rate * float64(time.Second))
}

// due waits until events are due, and is how many of n. A timer would be late by up
// to a millisecond, more than what is measured: it looks at the clock over and over,
// and lets others have the processor in between.
func (s *source) due(stop <-chan struct{}, n int) int {
	given := int(s.given.Load())
	for s.at(given) > time.Since(s.began) {
		select {
		case <-stop:
			return 0
		default:
			runtime.Gosched()
		}
	}
	return max(1, min(n, int(time.Since(s.began).Seconds()*s.rate)-given))
}

// Settle counts; with a rate it measures.
func (s *source) Settle(messages []*message.Message) {
	s.settled.Add(int64(len(messages)))
	for _, m := range messages {
		if !m.Outcome().OK() {
			s.failed.Add(1)
			s.reason.Store(m.Outcome().Reason)
		}
	}
	if s.rate == 0 || !s.measured.Load() {
		return
	}
	now := time.Since(s.began)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range messages {
		s.times = append(s.times, now-s.at(int(m.Position)))
	}
}
