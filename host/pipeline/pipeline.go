// Package pipeline is Broadway's pipeline: a producer pulls messages from a
// [Source], processors handle them one by one, batchers gather them, batch
// processors handle the batches and deliver their output to a [Sink], and each
// message is acknowledged to the source exactly once. Start with [New], then
// call [Pipeline.Run].
//
// # Demand
//
// Nothing is pulled that no processor has asked for. Each processor asks each
// producer for MaxDemand messages and asks again, in steps of at most MaxDemand
// - MinDemand, as it hands messages on. A processor hands on only what the
// batcher takes, and a batcher takes nothing while its batch processors are
// busy: so a slow sink slows the source.
//
// # Settlement
//
// A message settles once: ok after its batch's output is delivered (without
// batchers, after it is handled), or failed with the [message.Kind] of what
// failed it. [Pipeline.Books] balances at every instant: received = settled +
// in flight.
//
// # Drain
//
// When the context of Run ends, intake stops and what was pulled is worked off,
// upstream first, partial batches included. There is one deadline for all of
// it, Config.Shutdown; what is then unsettled is named by an [UnsettledError].
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Config is the shape of a pipeline. Every field but Logger is required; a host
// fills in the defaults.
type Config struct {
	Name string
	// Shutdown is the deadline of the whole drain.
	Shutdown   time.Duration
	Producer   ProducerConfig
	Processors ProcessorsConfig
	// Batchers may be empty: then a message settles when it is handled.
	Batchers []BatcherConfig
	// Logger defaults to discarding.
	Logger *slog.Logger
}

// ProducerConfig is the shape of the stage that pulls.
type ProducerConfig struct {
	// Concurrency is the number of pulls at a time, at least 1.
	Concurrency int
}

// ProcessorsConfig is the shape of the stage that handles single messages.
type ProcessorsConfig struct {
	// Concurrency is the number of slots, at least 1.
	Concurrency int
	// MaxDemand is the most that a slot asks each producer for, at least 1.
	MaxDemand int
	// MinDemand is below MaxDemand; their difference is the largest chunk.
	MinDemand int
}

// BatcherConfig is the shape of one batcher.
type BatcherConfig struct {
	Name string
	// Concurrency is the number of batches handled at a time, at least 1.
	Concurrency int
	// BatchSize is the most messages of a batch, at least 1.
	BatchSize int
	// BatchTimeout emits a batch so long after its first message, above 0.
	BatchTimeout time.Duration
	Sink         Sink
}

// Pipeline runs one source through one plugin. Make it with [New].
type Pipeline struct {
	config Config
	source Source
	plugin Plugin
	log    *slog.Logger

	ledger     ledger
	demand     *demand
	processors []*processor
	batchers   map[string]*batcher
	// stop is closed when intake ends; halted is set when the drain's deadline
	// has passed and results count no longer.
	stop     chan struct{}
	stopOnce sync.Once
	halted   atomic.Bool
}

// New checks the shape and makes a pipeline of it. Nothing runs until Run.
func New(config Config, source Source, plugin Plugin) (*Pipeline, error) {
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("pipeline %q: %w", config.Name, err)
	}
	log := config.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Pipeline{
		config: config, source: source, plugin: plugin,
		log:  log.With("pipeline", config.Name),
		stop: make(chan struct{}),
	}, nil
}

func (c *Config) validate() error {
	switch p := c.Processors; {
	case c.Shutdown <= 0:
		return errors.New("shutdown must be above 0")
	case c.Producer.Concurrency < 1:
		return errors.New("producer concurrency must be at least 1")
	case p.Concurrency < 1:
		return errors.New("processor concurrency must be at least 1")
	case p.MaxDemand < 1:
		return errors.New("max_demand must be at least 1")
	case p.MinDemand < 0 || p.MinDemand >= p.MaxDemand:
		return fmt.Errorf("min_demand must be between 0 and %d, below max_demand", p.MaxDemand-1)
	}
	return c.validateBatchers()
}

func (c *Config) validateBatchers() error {
	names := map[string]bool{}
	for _, b := range c.Batchers {
		switch {
		case names[b.Name]:
			return fmt.Errorf("batcher %q is there twice", b.Name)
		case b.Concurrency < 1 || b.BatchSize < 1:
			return fmt.Errorf("batcher %q: concurrency and batch_size must be at least 1", b.Name)
		case b.BatchTimeout <= 0:
			return fmt.Errorf("batcher %q: batch_timeout must be above 0", b.Name)
		case b.Sink == nil:
			return fmt.Errorf("batcher %q has no sink", b.Name)
		}
		names[b.Name] = true
	}
	return nil
}

// Run makes a handler for every slot, then moves messages until ctx ends or
// the source is exhausted, drains, and returns nil if every message settled.
// It returns an [UnsettledError] if the drain's deadline passed, the source's
// error if that was what ended it, and an error if a handler could not be made,
// in which case nothing was pulled. Run may be called once.
func (p *Pipeline) Run(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if err := p.makeSlots(work); err != nil {
		return err
	}
	stages := p.start(work)
	return p.finish(ctx, stages, cancel)
}

func (p *Pipeline) stopIntake() { p.stopOnce.Do(func() { close(p.stop) }) }

// makeSlots makes every slot's handler, so that a plugin that cannot start is
// found before anything is pulled.
func (p *Pipeline) makeSlots(ctx context.Context) error {
	err := p.makeHandlers(ctx)
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("pipeline %q: start plugin: %w", p.config.Name, err), p.closeHandlers(ctx))
}

func (p *Pipeline) makeHandlers(ctx context.Context) error {
	p.batchers = make(map[string]*batcher, len(p.config.Batchers))
	for _, c := range p.config.Batchers {
		b := newBatcher(p, c)
		p.batchers[c.Name] = b
		for range c.Concurrency {
			h, err := p.plugin.NewHandler(ctx)
			if err != nil {
				return err
			}
			b.slots = append(b.slots, h)
		}
	}
	slots := p.config.Processors
	p.demand = newDemand(slots.Concurrency, slots.MaxDemand*p.config.Producer.Concurrency)
	for i := range slots.Concurrency {
		h, err := p.plugin.NewHandler(ctx)
		if err != nil {
			return err
		}
		p.processors = append(p.processors, newProcessor(p, i, h))
	}
	return nil
}

func (p *Pipeline) closeHandlers(ctx context.Context) error {
	var errs []error
	for _, s := range p.processors {
		errs = append(errs, s.handler.Close(ctx))
	}
	for _, b := range p.batchers {
		for _, h := range b.slots {
			errs = append(errs, h.Close(ctx))
		}
	}
	return errors.Join(errs...)
}

// start runs every stage. The channel gives the source's error, nil if it had
// none, once the last stage has ended.
func (p *Pipeline) start(work context.Context) <-chan error {
	done := make(chan error, 1)
	go func() {
		producers := p.startProducers(work)
		processors := startAll(p.processors, func(s *processor) { s.run(work) })
		batchers := p.startBatchers(work)

		// Upstream first: a stage ends when the one above it has, and has been
		// worked off.
		err := producers()
		for _, s := range p.processors {
			s.inbox.close()
		}
		processors()
		for _, b := range p.batchers {
			close(b.in)
		}
		batchers()
		done <- err
	}()
	return done
}

// startAll runs f for each item in a goroutine of its own and returns what
// waits for them.
func startAll[T any](items []T, f func(T)) (wait func()) {
	var wg sync.WaitGroup
	for _, item := range items {
		wg.Go(func() { f(item) })
	}
	return wg.Wait
}

// finish waits for the stages, and once ctx is done no longer than the drain's
// deadline.
func (p *Pipeline) finish(ctx context.Context, stages <-chan error, cancel func()) error {
	select {
	case err := <-stages:
		return p.close(ctx, err)
	case <-ctx.Done():
		p.stopIntake()
	}
	deadline := time.NewTimer(p.config.Shutdown)
	defer deadline.Stop()
	select {
	case err := <-stages:
		return p.close(ctx, err)
	case <-deadline.C:
	}
	p.halted.Store(true)
	cancel()
	return p.abandon(ctx, stages)
}

// close ends a pipeline that has worked off everything.
func (p *Pipeline) close(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("pipeline %q: %w", p.config.Name, err)
	}
	return errors.Join(err, p.unsettled(), p.closeHandlers(context.WithoutCancel(ctx)))
}
