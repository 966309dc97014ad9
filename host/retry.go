package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
)

// Retried is what became of a dead letter.
type Retried struct {
	control.DeadLetter

	Outcome message.Outcome
}

// Retry runs whole dead letters through a pipeline once, with the module and the
// sinks that its configuration names and without its server or a journal, and
// calls settled with what became of them, one call at a time. What is not told of
// has not ended. No more is read at a time than may be in flight.
func Retry(ctx context.Context, cacheDir string, c config.Pipeline, o Options, letters iter.Seq2[control.DeadLetter, error], settled func([]Retried)) (err error) {
	o = o.withDefaults()
	engine, err := plugin.Open(ctx, plugin.Options{CacheDir: cacheDir, Logger: o.Logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close(context.WithoutCancel(ctx))) }()
	loaded, err := load(ctx, engine, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loaded.Close(context.WithoutCancel(ctx))) }()
	source := newLetterSource(letters, settled)
	defer source.close()
	shape := workshop{options: o, sinks: newSinks(o)}.shape(c)
	shape.Producer = pipeline.ProducerConfig{Concurrency: 1}
	shape.Failures.OnFailure = withoutPeers(shape.Failures.OnFailure)
	shape.Failures.Retry.Exhausted = withoutPeers(shape.Failures.Retry.Exhausted)
	p, err := pipeline.New(shape, source, slots{loaded})
	if err != nil {
		return err
	}
	return p.Run(ctx)
}

// withoutPeers is what becomes of a failure where no server can deliver anew and
// nobody resumes a partition.
func withoutPeers(a message.OnFailure) message.OnFailure {
	if a == message.Unlock || a == message.HaltPartition {
		return message.DeadLetter
	}
	return a
}

// letterSource brings dead letters, and then there is no more.
type letterSource struct {
	next  func() (control.DeadLetter, error, bool)
	close func()

	mu      sync.Mutex
	open    map[*message.Message]control.DeadLetter // without their events
	settled func([]Retried)
}

func newLetterSource(letters iter.Seq2[control.DeadLetter, error], settled func([]Retried)) *letterSource {
	s := &letterSource{open: map[*message.Message]control.DeadLetter{}, settled: settled}
	s.next, s.close = iter.Pull2(letters)
	return s
}

func (s *letterSource) Pull(_ context.Context, stop <-chan struct{}, n int) (messages []*message.Message, err error) {
	for len(messages) < n && err == nil {
		select {
		case <-stop:
			return messages, nil
		default:
		}
		d, failure, more := s.next()
		switch {
		case !more:
			err = io.EOF
		case failure != nil:
			err = fmt.Errorf("read dead letters: %w", failure)
		default:
			messages = append(messages, s.message(d))
		}
	}
	return messages, err
}

func (s *letterSource) message(d control.DeadLetter) *message.Message {
	m := &message.Message{ID: d.EventID, Event: d.Event, Position: d.Position, Received: d.Received}
	d.Event = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[m] = d
	return m
}

func (s *letterSource) Settle(messages []*message.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	retried := make([]Retried, len(messages))
	for i, m := range messages {
		retried[i] = Retried{s.open[m], m.Outcome()}
		delete(s.open, m)
	}
	s.settled(retried)
}
