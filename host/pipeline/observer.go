package pipeline

import (
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// Observer is told what a pipeline does: Broadway's telemetry, and what that
// lacks. Its methods are called from many goroutines at once, on the way of the
// messages: they must be quick. Without one, none of it costs anything, not even
// a look at the clock.
type Observer interface {
	// Started: every slot has its handler, and pulling begins.
	Started(slots int, took time.Duration)
	// Pulled: a producer's pull has brought so much.
	Pulled(messages, bytes int, took time.Duration)
	// RateLimited: a producer has waited for the next window.
	RateLimited(waited time.Duration)
	// MessageHandled: a processor has handled a message.
	MessageHandled(processor int, m *message.Message, o message.Outcome, took time.Duration)
	// ChunkHandled: a processor has handled a chunk, of which so many went on
	// to batchers and so many failed; the others have ended.
	ChunkHandled(processor, messages, forwarded, failed int, took time.Duration)
	// BatchHandled: a batch processor has handled a batch, of which so many
	// messages failed, and its output was delivered in the last part of the time.
	BatchHandled(b *message.Batch, failed int, took, delivery time.Duration)
	// FailuresHandled: handle_failed was called with these.
	FailuresHandled(failures []message.Failure, o message.Outcome, took time.Duration)
	// Retrying: a message is to be tried again so much later.
	Retrying(m *message.Message, o message.Outcome, wait time.Duration)
	// Halted: a message has halted its partition.
	Halted(m *message.Message, o message.Outcome)
	// Settled: messages have their outcomes, and the source knows.
	Settled(messages []*message.Message, took time.Duration)
}

// watch is how a pipeline tells its observer of what took some time.
type watch struct {
	observer Observer
	began    time.Time
}

// watch begins a time that the observer is told of, if there is one.
func (p *Pipeline) watch() watch {
	if p.config.Observer == nil {
		return watch{}
	}
	return watch{p.config.Observer, time.Now()}
}

// tell has the observer told of the time since then.
func (w watch) tell(of func(o Observer, took time.Duration)) {
	if w.observer != nil {
		of(w.observer, time.Since(w.began))
	}
}
