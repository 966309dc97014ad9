package pipeline

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// wait is how long a message waits before the attempt that follows this one.
func (c *RetryConfig) wait(attempt uint32) time.Duration {
	d := c.Backoff
	for ; attempt > 1 && d < c.MaxBackoff; attempt-- {
		d *= 2
	}
	d = min(d, c.MaxBackoff)
	return d + time.Duration((rand.Float64()*2-1)*float64(d)/5) //nolint:gosec // chance, no secret
}

// retrier holds the messages that wait for another attempt. They take no slot.
type retrier struct {
	mu      sync.Mutex
	waiting attempts
	wake    chan struct{}
}

// attempt is a message and when it is due.
type attempt struct {
	message *message.Message
	due     time.Time
}

func newRetrier() *retrier { return &retrier{wake: make(chan struct{}, 1)} }

func (r *retrier) add(m *message.Message, d time.Duration) {
	r.mu.Lock()
	heap.Push(&r.waiting, attempt{m, time.Now().Add(d)})
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// remove takes a message back, and reports whether it still waited.
func (r *retrier) remove(m *message.Message) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.waiting {
		if r.waiting[i].message == m {
			heap.Remove(&r.waiting, i)
			return true
		}
	}
	return false
}

func (r *retrier) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting)
}

// run gives each message to again when it is due.
func (r *retrier) run(work context.Context, again func(*message.Message)) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		m, next := r.due()
		if m != nil {
			again(m)
			continue
		}
		timer.Reset(next)
		select {
		case <-r.wake:
		case <-timer.C:
		case <-work.Done():
			return
		}
	}
}

// due takes a message that is due, or tells how long there is none.
func (r *retrier) due() (m *message.Message, next time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 {
		return nil, time.Hour
	}
	if next = time.Until(r.waiting[0].due); next > 0 {
		return nil, next
	}
	first, _ := heap.Pop(&r.waiting).(attempt)
	return first.message, 0
}

// attempts is a heap, the first due on top.
type attempts []attempt

func (a attempts) Len() int           { return len(a) }
func (a attempts) Less(i, j int) bool { return a[i].due.Before(a[j].due) }
func (a attempts) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *attempts) Push(x any)        { *a = append(*a, x.(attempt)) } //nolint:forcetypeassert // heap's own

func (a *attempts) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = attempt{}
	*a = (*a)[:last]
	return x
}
