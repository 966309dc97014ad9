package pipeline_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
)

// lateSource answers a pull a second after it is asked, stop or no stop, as a
// server does that has locked the events already.
type lateSource struct{ *source }

func (s *lateSource) Pull(ctx context.Context, stop <-chan struct{}, n int) ([]*message.Message, error) {
	time.Sleep(time.Second)
	s.mu.Lock()
	empty := len(s.waiting) == 0
	s.mu.Unlock()
	if empty {
		return nil, nil
	}
	return s.source.Pull(ctx, stop, n)
}

func runPipeline(t *testing.T, p *pipeline.Pipeline) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{Pipeline: p, t: t, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- p.Run(ctx) }()
	synctest.Wait()
	return r
}
