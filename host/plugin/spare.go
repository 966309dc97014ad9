package plugin

import (
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// After a failure to make an instance, a slot waits this long before it tries
// again, twice as long after each further failure.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// spare is an instance in the making. Its goroutine is started by newSpare and
// ends by itself; the slot waits for it in take.
type spare struct {
	done     chan struct{}
	instance *instance
	fault    *fault
}

func (s *Slot) newSpare() *spare {
	sp := &spare{done: make(chan struct{})}
	go func() {
		defer close(sp.done)
		sp.instance, sp.fault = s.newInstance()
	}()
	return sp
}

func (sp *spare) take() (*instance, *fault) {
	<-sp.done
	return sp.instance, sp.fault
}

// retry spaces out attempts to make an instance of a plugin that fails to
// start.
type retry struct {
	delay time.Duration // 0 while there is no failure
	at    time.Time
	fault *fault
}

// waiting returns the last failure if it is too early for another attempt.
func (r *retry) waiting() *fault {
	if r.delay == 0 || !time.Now().Before(r.at) {
		return nil
	}
	return r.fault
}

func (r *retry) failed(f *fault) *fault {
	r.delay = min(max(2*r.delay, firstRetry), lastRetry)
	r.at = time.Now().Add(r.delay)
	r.fault = &fault{kind: message.Unavailable, reason: "no instance of the plugin: " + f.reason}
	return r.fault
}
