package plugin

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// How long a plugin rests after it has failed too often: twice as long after
// each further failure.
const (
	firstRest = 100 * time.Millisecond
	lastRest  = 30 * time.Second
)

// breaker gives a plugin a rest that fails all the time, so that it does not
// burn a queue of messages: its slots wait, nothing more is pulled, and then one
// message at a time is tried. One that succeeds lets all of them in again. It is
// shared by a plugin's slots; without failures it costs two loads of a number
// per call.
type breaker struct {
	log   *slog.Logger
	limit int64
	row   atomic.Int64 // failures since the last success

	mu      sync.Mutex
	rest    time.Duration // 0 while the breaker is closed
	until   time.Time
	trying  bool          // a slot is at work on the one message
	changed chan struct{} // closed when a slot that waits should look again
	last    *fault
}

func newBreaker(log *slog.Logger, limit int) *breaker {
	return &breaker{log: log, limit: int64(limit), changed: make(chan struct{})}
}

// open reports whether the next call would have to wait, or be the one that is
// tried.
func (b *breaker) open() bool { return b.row.Load() >= b.limit }

// pass waits until a call may be made. It returns the last failure if stop or
// relief is closed before. Who has passed must tell succeeded or failed.
func (b *breaker) pass(stop, relief <-chan struct{}) *fault {
	if b.row.Load() < b.limit {
		return nil
	}
	for {
		changed, rest, f := b.enter()
		if f == nil {
			return nil
		}
		timer := time.NewTimer(rest)
		select {
		case <-changed:
		case <-timer.C:
		case <-stop:
			timer.Stop()
			return f
		case <-relief:
			timer.Stop()
			return f
		}
		timer.Stop()
	}
}

// enter lets the caller in, or returns for what and how long it should wait.
func (b *breaker) enter() (changed <-chan struct{}, rest time.Duration, last *fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch rest = time.Until(b.until); {
	case b.rest == 0:
		return nil, 0, nil
	case b.trying:
		return b.changed, lastRest, b.last
	case rest > 0:
		return b.changed, rest, b.last
	}
	b.trying = true
	return nil, 0, nil
}

// resting reports whether calls wait.
func (b *breaker) resting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rest > 0
}

// succeeded ends a row of failures.
func (b *breaker) succeeded() {
	if b.row.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.row.Store(0)
	if b.rest == 0 {
		return
	}
	b.rest, b.trying = 0, false
	b.wake()
	b.log.Info("plugin works again")
}

// failed counts a failure, or more than one if it weighs as much.
func (b *breaker) failed(f *fault, weight int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = f
	row := b.row.Add(weight)
	if row < b.limit || b.rest > 0 && !b.trying { // the second: a call that began before the rest
		return
	}
	b.rest = min(max(2*b.rest, firstRest), lastRest)
	b.until, b.trying = time.Now().Add(b.rest), false
	b.wake()
	b.log.Warn("plugin fails all the time and is given a rest", "failures", row, "rest", b.rest, "kind", f.kind, "reason", f.reason)
}

func (b *breaker) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}
