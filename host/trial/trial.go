// Package trial tries a plugin on events without a server: they go through a
// real pipeline with real slots, and what became of each comes back to the
// caller. It is for the tests of whoever writes a plugin, and for `relayhost
// plugin test` and `relayhost replay`. Start with [Start], then call
// [Pipeline.TestMessage] or [Pipeline.TestBatch]. What two plugins did with the
// same events is compared by [Ack.Differences].
//
// # A trial
//
// Each call is a pipeline's whole life: it pulls the events, handles them, drains
// and ends; the plugin's instances are kept from call to call. A batch is emitted
// when it is full, or flushed when the last event has been handled: nothing waits
// for a batch_timeout. One producer, one processor and one slot a batcher (but
// for those with PartitionBy) handle the events in order, so that a plugin which
// is given a fixed clock and seeded randomness does the same in every run.
package trial

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// Options say what is tried, and how. Only Module is required.
type Options struct {
	// Module is the plugin's .wasm file.
	Module []byte
	// Name is what logs and errors call the plugin. Defaults to "plugin".
	Name string
	// Settings are the plugin's config table, limits, clock, randomness and
	// state. A plugin that fails all the time gets no rest, whatever they say.
	Settings plugin.Settings
	// Pipeline is the pipeline's shape; what is not set is filled in: without
	// batchers a message ends when it is handled, and a batcher's BatchSize
	// defaults to 100. A batcher's Sink defaults to one that takes everything.
	// What the package says of a trial wins over Concurrency and BatchTimeout.
	Pipeline pipeline.Config
	// CacheDir is where compiled modules are kept. Defaults to memory.
	CacheDir string
	// Logger gets what the plugin logs, and what the pipeline does unless it has a
	// Logger of its own. Defaults to discarding.
	Logger *slog.Logger
}

// Pipeline is a plugin in its pipeline. Make it with [Start] and end it with
// Close. Calls wait for each other.
type Pipeline struct {
	config  pipeline.Config
	engine  *plugin.Engine
	plugin  *plugin.Plugin
	mu      sync.Mutex
	slots   []*plugin.Slot // in the order in which a pipeline makes them
	closing sync.Once
}

// Start loads and configures the plugin. The error is a [*plugin.Refusal] if the
// module is to blame.
func Start(ctx context.Context, o Options) (*Pipeline, error) {
	p := &Pipeline{config: shape(o)}
	var err error
	if p.engine, err = plugin.Open(ctx, plugin.Options{CacheDir: o.CacheDir, Logger: cmp.Or(o.Logger, p.config.Logger)}); err != nil {
		return nil, err
	}
	settings := o.Settings
	settings.Pipeline = p.config.Name
	settings.NeedBatch = len(o.Pipeline.Batchers) > 0
	settings.Limits.Failures = math.MaxInt32
	p.plugin, err = p.engine.Load(ctx, cmp.Or(o.Name, "plugin"), o.Module, settings)
	if err != nil {
		return nil, errors.Join(err, p.engine.Close(ctx))
	}
	if err := p.check(); err != nil {
		return nil, errors.Join(err, p.Close(ctx))
	}
	return p, nil
}

// check finds a shape that no pipeline can have.
func (p *Pipeline) check() error {
	r := p.newRun(nil)
	_, err := pipeline.New(r.shape(), r, slots{r})
	return err
}

// shape is a pipeline's shape with one way through it.
func shape(o Options) pipeline.Config {
	c := o.Pipeline
	c.Name = cmp.Or(c.Name, "test")
	c.Shutdown = time.Second // of what is cut off
	c.Producer = pipeline.ProducerConfig{Concurrency: 1}
	c.Processors.Concurrency = 1
	if c.Processors.MaxDemand == 0 {
		c.Processors.MaxDemand, c.Processors.MinDemand = 10, 5
	}
	c.Batchers = slices.Clone(c.Batchers)
	for i := range c.Batchers {
		b := &c.Batchers[i]
		if b.BatchTimeout = 1000 * time.Hour; b.PartitionBy == nil {
			b.Concurrency = 1
		}
		b.Concurrency, b.BatchSize = cmp.Or(b.Concurrency, 1), cmp.Or(b.BatchSize, 100)
	}
	c.Logger = cmp.Or(c.Logger, o.Logger, slog.New(slog.DiscardHandler))
	return c
}

// Close gives the plugin back, after its teardown; no call may be running.
func (p *Pipeline) Close(ctx context.Context) (err error) {
	p.closing.Do(func() {
		var errs []error
		for _, s := range p.slots {
			if s != nil {
				errs = append(errs, s.Close(ctx))
			}
		}
		err = errors.Join(append(errs, p.plugin.Close(ctx), p.engine.Close(ctx))...)
	})
	return err
}

// TestMessage tries one event, in a batch of one if there are batchers.
func (p *Pipeline) TestMessage(ctx context.Context, event *pb.Event) (Ack, error) {
	acks, err := p.TestBatch(ctx, event)
	if err != nil {
		return Ack{}, err
	}
	return acks[0], nil
}

// TestBatch tries events together, in as few batches as the batchers' sizes and
// the plugin's routing make of them, and returns what became of each, in their
// order. It ends at once when ctx does, with its error; then what had not been
// settled is not.
func (p *Pipeline) TestBatch(ctx context.Context, events ...*pb.Event) ([]Ack, error) {
	acks, _, err := p.Run(ctx, events)
	return acks, err
}

// Run is TestBatch with every batch that was handled, in the order of the first
// events in them.
func (p *Pipeline) Run(ctx context.Context, events []*pb.Event) ([]Ack, []*Batch, error) {
	messages, err := Messages(events)
	if err != nil {
		return nil, nil, err
	}
	return p.RunMessages(ctx, messages)
}

// RunMessages is Run for events as a source has brought them, to the byte. The
// messages stay as they are, so that several pipelines can have the same.
func (p *Pipeline) RunMessages(ctx context.Context, messages []*message.Message) ([]Ack, []*Batch, error) {
	if len(messages) == 0 {
		return nil, nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.newRun(afresh(messages)).do(ctx)
}
