package pipeline

import "sync"

// turn says whose it is to take messages in: the producers', or the journal's,
// which comes first. A producer that waits for its source has promised what is
// asked for; so that the journal gets any of it, its pull is ended.
type turn struct {
	mu    sync.Mutex
	ended bool
	// pull is open while it is the producers' turn, and open again is closed
	// when it comes.
	pull, again chan struct{}
}

func newTurn() *turn {
	t := &turn{pull: make(chan struct{}), again: make(chan struct{})}
	close(t.pull)
	return t
}

// producers gives the producers their turn.
func (t *turn) producers() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended && isClosed(t.pull) {
		t.pull = make(chan struct{})
		close(t.again)
	}
}

// journal takes it from them.
func (t *turn) journal() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !isClosed(t.pull) {
		close(t.pull)
		t.again = make(chan struct{})
	}
}

// end takes it from them for good.
func (t *turn) end() {
	t.journal()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
}

// wait waits for the producers' turn, and returns what is closed when it is
// over; nil if stop is closed first.
func (t *turn) wait(stop <-chan struct{}) <-chan struct{} {
	for {
		t.mu.Lock()
		pull, again := t.pull, t.again
		t.mu.Unlock()
		if isClosed(stop) {
			return nil
		}
		if !isClosed(pull) {
			return pull
		}
		select {
		case <-again:
		case <-stop:
			return nil
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
