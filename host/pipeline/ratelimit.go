package pipeline

import (
	"errors"
	"sync"
	"time"
)

// RateLimit is a fixed window: so many messages in each interval, over all
// producers of a pipeline. What a window leaves is not carried over. The zero
// value limits nothing.
type RateLimit struct {
	// Messages is above 0, and so is Interval, or both are 0.
	Messages int
	Interval time.Duration
}

func (l RateLimit) validate() error {
	if l.Messages < 0 || l.Interval < 0 || (l.Messages == 0) != (l.Interval == 0) {
		return errors.New("rate limit: messages and interval must both be above 0, or both 0")
	}
	return nil
}

// limiter shares a rate limit's windows out. The first one begins when it is
// made.
type limiter struct {
	mu      sync.Mutex
	limit   RateLimit
	next    RateLimit // from the next window on
	began   time.Time
	left    int           // of the window
	granted int           // to pulls that have not returned, whenever that was
	changed chan struct{} // closed when a waiting producer should look again
}

func newLimiter(limit RateLimit) *limiter {
	return &limiter{limit: limit, next: limit, began: time.Now(), left: limit.Messages, changed: make(chan struct{})}
}

// take grants between 1 and n messages, or tells how long there is none.
func (l *limiter) take(n int) (granted int, wait time.Duration, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.roll()
	if l.limit.Messages == 0 {
		l.granted += n
		return n, 0, nil
	}
	if granted = min(n, l.left-l.granted); granted <= 0 {
		return 0, time.Until(l.began.Add(l.limit.Interval)), l.changed
	}
	l.granted += granted
	return granted, 0, nil
}

// roll begins the window that it is time for.
func (l *limiter) roll() {
	if l.limit.Messages == 0 {
		if l.next != l.limit {
			l.begin(time.Now())
		}
		return
	}
	if passed := time.Since(l.began); passed >= l.limit.Interval {
		l.begin(l.began.Add(passed.Truncate(l.limit.Interval)))
	}
}

func (l *limiter) begin(at time.Time) {
	l.limit, l.began, l.left = l.next, at, l.next.Messages
}

// pulled takes what was granted back, and what of it has come out of the window
// that it came in: a pull may wait for long.
func (l *limiter) pulled(granted, came int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.roll()
	l.granted -= granted
	if l.limit.Messages > 0 {
		l.left -= came
		l.wake()
	}
}

// set changes the limit from the next window on, or now, with a new window.
func (l *limiter) set(limit RateLimit, reset bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next = limit; reset {
		l.begin(time.Now())
	}
	l.wake()
}

func (l *limiter) get() RateLimit {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.roll()
	return l.next
}

func (l *limiter) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// RateLimit is the limit that is in force from the next window on.
func (p *Pipeline) RateLimit() RateLimit { return p.limiter.get() }

// SetRateLimit changes the limit of a pipeline that runs: from the next window
// on, or with reset at once, in a new window.
func (p *Pipeline) SetRateLimit(limit RateLimit, reset bool) error {
	if err := limit.validate(); err != nil {
		return err
	}
	p.limiter.set(limit, reset)
	return nil
}
