package pipeline

import (
	"context"
	"time"
)

// deadline makes contexts that end after a timeout, for one goroutine. To make one
// costs as much as to handle a small batch, so those that begin within a thousandth
// of the timeout share one: the later of them have so much less.
type deadline struct {
	timeout time.Duration
	shared  context.Context //nolint:containedctx // it is what is shared
	cancel  context.CancelFunc
	until   time.Time // others may share it
}

// begin is the context of what begins now.
func (d *deadline) begin(parent context.Context) context.Context {
	now := time.Now()
	if d.shared == nil || now.After(d.until) || d.shared.Err() != nil {
		d.end()
		d.shared, d.cancel = context.WithTimeout(parent, d.timeout)
		d.until = now.Add(d.timeout / 1000)
	}
	return d.shared
}

// end ends the last of them.
func (d *deadline) end() {
	if d.cancel != nil {
		d.cancel()
	}
}
