package host

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"

	"google.golang.org/grpc"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	source "github.com/relayhost/relayhost/host/source/eventrelay"
	"github.com/relayhost/relayhost/host/trial"
)

// What of a replay is in memory at once, but for what the plugins make of it.
const (
	replayEvents = 1000 // or the largest batch_size, if that is more
	replayBytes  = 64 << 20
)

// ReplayOptions say what is replayed, and through what.
type ReplayOptions struct {
	// Log is the stretch of the log.
	Log source.LogRange
	// Limit is how many events are replayed at most; 0 for all.
	Limit int
	// Modules are files of plugins, each of which handles every event as the
	// pipeline's configuration has it. Defaults to the configured one.
	Modules []string
	// CacheDir is where compiled modules are kept. Defaults to memory.
	CacheDir string
}

// Replay handles a stretch of a topic's log again. It reads, and no more:
// nothing is acknowledged, locked or delivered, and no journal is opened. Make
// it with [NewReplay], read [Replay.Chunks], and end it with Close.
type Replay struct {
	log    source.LogRange
	limit  int
	chunk  int // events at once
	conn   *grpc.ClientConn
	trials []*trial.Pipeline
}

// ReplayChunk is some events that follow each other, and what became of them.
type ReplayChunk struct {
	// First is the place of the first event in the whole replay, from 0 on.
	First    int
	Messages []*message.Message
	// Runs has one item for each module.
	Runs []ReplayRun
}

// ReplayRun is what one module did with a chunk. Acks are by the chunk's
// messages; the batches' events are numbered as in the whole replay.
type ReplayRun struct {
	Acks    []trial.Ack
	Batches []*trial.Batch
}

// NewReplay loads the plugins; no server has to be there. The error is about
// what was named: a [*plugin.Refusal], or a file.
func NewReplay(ctx context.Context, c config.Pipeline, r ReplayOptions, o Options) (*Replay, error) {
	replay := &Replay{log: r.Log, limit: r.Limit, chunk: replayEvents}
	for _, b := range c.Batchers {
		replay.chunk = max(replay.chunk, b.BatchSize)
	}
	if err := replay.prepare(ctx, c, r, o); err != nil {
		return nil, errors.Join(err, replay.Close(ctx))
	}
	return replay, nil
}

func (r *Replay) prepare(ctx context.Context, c config.Pipeline, options ReplayOptions, o Options) (err error) {
	if r.conn, err = eventrelay.Dial(connection(c.Producer)); err != nil {
		return err
	}
	if len(options.Modules) == 0 {
		options.Modules = []string{c.Plugin.Module}
	}
	for _, file := range options.Modules {
		tried := Trial(c, o)
		tried.Name, tried.CacheDir = file, options.CacheDir
		tried.Pipeline.Logger = slog.New(slog.DiscardHandler) // what fails is the caller's to tell, and no alarm
		if tried.Module, err = plugin.ReadFile(file, c.Plugin.Limits.ModuleSize); err != nil {
			return err
		}
		p, err := trial.Start(ctx, tried)
		if err != nil {
			return err
		}
		r.trials = append(r.trials, p)
	}
	return nil
}

// Close gives the plugins and the connection back.
func (r *Replay) Close(ctx context.Context) error {
	var errs []error
	for _, p := range r.trials {
		errs = append(errs, p.Close(ctx))
	}
	if r.conn != nil {
		errs = append(errs, r.conn.Close())
	}
	return errors.Join(errs...)
}

// Chunks reads the log and hands what became of its events to the caller, a
// chunk at a time, in the order of offsets. An error is the last that it yields,
// with what was handled before it.
func (r *Replay) Chunks(ctx context.Context) iter.Seq2[ReplayChunk, error] {
	return func(yield func(ReplayChunk, error) bool) {
		first := 0
		for messages, broken := range r.read(ctx) {
			c, err := r.handle(ctx, first, messages)
			err = errors.Join(err, broken)
			first += len(messages)
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// read reads the log in chunks. The last may come with an error.
func (r *Replay) read(ctx context.Context) iter.Seq2[[]*message.Message, error] {
	return func(yield func([]*message.Message, error) bool) {
		var chunk []*message.Message
		n, size := 0, 0
		for m, err := range source.ReadLog(ctx, r.conn, r.log) {
			if err != nil {
				yield(chunk, err)
				return
			}
			chunk = append(chunk, m)
			n, size = n+1, size+len(m.Event)
			last := n == r.limit
			if last || len(chunk) == r.chunk || size >= replayBytes {
				if !yield(chunk, nil) || last {
					return
				}
				chunk, size = nil, 0
			}
		}
		if len(chunk) > 0 {
			yield(chunk, nil)
		}
	}
}

// handle runs a chunk through each plugin. If it is cut off, the chunk ends with
// the last event that all of them have begun.
func (r *Replay) handle(ctx context.Context, first int, messages []*message.Message) (ReplayChunk, error) {
	c := ReplayChunk{First: first, Messages: messages}
	var errs []error
	for _, p := range r.trials {
		acks, batches, err := p.RunMessages(ctx, messages)
		for _, b := range batches {
			for i := range b.Events {
				b.Events[i] += first
			}
		}
		c.Runs, errs = append(c.Runs, ReplayRun{acks, batches}), append(errs, err)
	}
	err := errors.Join(errs...)
	if ctx.Err() != nil {
		c.cut()
		err = fmt.Errorf("replay: %w", ctx.Err())
	}
	return c, err
}

// cut leaves the events that every run has begun.
func (c *ReplayChunk) cut() {
	n := len(c.Messages)
	for _, run := range c.Runs {
		n = min(n, 1+lastBegun(run.Acks))
	}
	c.Messages = c.Messages[:n]
	for i := range c.Runs {
		run := &c.Runs[i]
		run.Acks = run.Acks[:min(n, len(run.Acks))]
		run.Batches = slices.DeleteFunc(run.Batches, func(b *trial.Batch) bool {
			return slices.Max(b.Events) >= c.First+n
		})
	}
}

// lastBegun is the place of the last event that was handled, -1 if none was.
func lastBegun(acks []trial.Ack) int {
	for i, a := range slices.Backward(acks) {
		if a.Attempts > 0 {
			return i
		}
	}
	return -1
}
