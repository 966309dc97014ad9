// Package pipeline is Broadway's pipeline: a producer pulls messages from a
// [Source], processors handle them one by one, batchers gather them, batch
// processors handle the batches and deliver their output to a [Sink], and each
// message is acknowledged to the source exactly once. Start with [New], then
// call [Pipeline.Run].
//
// # Demand
//
// Each processor asks each producer for MaxDemand messages and asks again, in
// steps of at most MaxDemand - MinDemand, as it hands messages on. So that no
// processor waits for a pull, what the pipeline uses in the time of a few pulls
// is pulled ahead, and held until it is asked for; that is measured, at most what
// it uses in some 750 ms, and nothing where pulls take no time. With a journal
// the next pull does not wait until the last one is safe: what comes meanwhile
// goes to the disk together. What is handed on waits where it goes:
// before a batcher whose sink is slow, behind a message of its partition that is
// to be tried again. So whatever is stuck stalls only what goes the same way,
// until MaxInFlight messages, or MaxInFlightBytes, are in flight: then nothing
// more is pulled. If it is open batches that hold these, which could not fill
// then, the oldest are emitted as they are.
//
// # Order
//
// None is promised, but for a stage with PartitionBy: there one slot handles all
// messages with the same value, in the order in which they came, and with
// RetryConfig.KeepOrder the later ones wait while one is tried again. What a
// batch handler fails out of the middle of its batch is behind the others of
// that batch then.
//
// # Settlement
//
// A message settles once: ok after its batch's output is delivered (without
// batchers, after it is handled), or failed with the [message.Kind] of what
// failed it, when it is not to be tried again. One that a handler has made
// several of settles when all of them have ended, ok if all are. [Pipeline.Books]
// balances at every instant: received = settled + in flight.
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

	"github.com/relayhost/relayhost/host/message"
)

// Pipeline runs one source through one plugin. Make it with [New].
type Pipeline struct {
	config Config
	source Source
	plugin Plugin
	log    *slog.Logger

	ledger     ledger
	limiter    *limiter
	demand     *demand
	keeper     *keeper // nil without a journal
	larder     larder
	gate       *gate
	retrier    *retrier
	turn       *turn
	processors []*processor
	batchers   map[string]*batcher
	failed     *failedProcessor // nil if the plugin never has handle_failed
	unlocker   *unlocker        // nil unless the source can be asked to unlock

	phase phase
	// upstream is how many messages lie before the batchers: dispatched, and
	// neither ended, sent on nor held back.
	upstream atomic.Int64
	// working is how many batches were emitted and are not handled, and how many
	// failures wait for handle_failed or to be unlocked.
	working atomic.Int64
	relief  sync.Mutex // one at a time
	// stop is closed when intake ends; draining is set when no producer runs any
	// more, and drained closed when everything that can settle has.
	stop      chan struct{}
	stopOnce  sync.Once
	draining  atomic.Bool
	drained   chan struct{}
	drainOnce sync.Once
	ended     chan struct{} // closed when Run returns
	// halted is set when the drain's deadline has passed and results count no
	// longer.
	halted atomic.Bool
}

// New checks the shape and makes a pipeline of it. Nothing runs until Run.
func New(config Config, source Source, plugin Plugin) (*Pipeline, error) {
	config = config.WithDefaults()
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("pipeline %q: %w", config.Name, err)
	}
	p := &Pipeline{
		config: config, source: source, plugin: plugin,
		log:     config.Logger.With("pipeline", config.Name),
		limiter: newLimiter(config.Producer.RateLimit),
		gate:    newGate(), retrier: newRetrier(), turn: newTurn(),
		batchers: make(map[string]*batcher, len(config.Batchers)),
		stop:     make(chan struct{}), drained: make(chan struct{}), ended: make(chan struct{}),
	}
	for _, c := range config.Batchers {
		p.batchers[c.Name] = newBatcher(p, c)
	}
	if config.Journal != nil {
		p.keeper = &keeper{pipeline: p, inbox: newInbox[brought]()}
	}
	if u, ok := source.(Unlocker); ok {
		p.unlocker = &unlocker{pipeline: p, source: u, inbox: newInbox[message.Failure]()}
	}
	return p, nil
}

// Config is the pipeline's shape, with the defaults filled in.
func (p *Pipeline) Config() Config { return p.config }

// Run makes a handler for every slot, then moves messages until ctx ends or
// the source is exhausted, drains, and returns nil if every message settled.
// It returns an [UnsettledError] if the drain's deadline passed, the source's
// error if that was what ended it, and an error if a handler could not be made,
// in which case nothing was pulled. Run may be called once.
func (p *Pipeline) Run(ctx context.Context) error {
	defer close(p.ended)
	defer p.phase.advance(Ended)
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	watch := p.watch()
	if err := p.makeSlots(work); err != nil {
		return err
	}
	watch.tell(func(o Observer, took time.Duration) { o.Started(len(p.handlers()), took) })
	p.phase.advance(Running)
	stages := p.start(work)
	return p.finish(ctx, stages, cancel)
}

func (p *Pipeline) stopIntake() {
	p.phase.advance(Draining)
	p.stopOnce.Do(func() {
		close(p.stop)
		p.turn.end()
	})
}

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
	for _, c := range p.config.Batchers {
		b := p.batchers[c.Name]
		for range c.Concurrency {
			h, err := p.plugin.NewHandler(ctx, message.StageBatchers)
			if err != nil {
				return err
			}
			b.slots = append(b.slots, h)
		}
	}
	h, err := p.plugin.NewHandler(ctx, message.StageFailures)
	if err != nil {
		return err
	}
	if h != nil {
		p.failed = &failedProcessor{pipeline: p, handler: h, exchange: newExchange(h), inbox: newInbox[[]message.Failure]()}
	}
	slots := p.config.Processors
	p.demand = newDemand(slots.Concurrency, slots.MaxDemand*p.config.Producer.Concurrency,
		p.config.MaxInFlight, p.config.MaxInFlightBytes)
	for i := range slots.Concurrency {
		h, err := p.plugin.NewHandler(ctx, message.StageProcessors)
		if err != nil {
			return err
		}
		p.processors = append(p.processors, newProcessor(p, i, h))
	}
	return nil
}

// handlers are those of all slots.
func (p *Pipeline) handlers() (all []Handler) {
	for _, s := range p.processors {
		all = append(all, s.handler)
	}
	for _, b := range p.batchers {
		all = append(all, b.slots...)
	}
	if p.failed != nil {
		all = append(all, p.failed.handler)
	}
	return all
}

func (p *Pipeline) closeHandlers(ctx context.Context) error {
	var errs []error
	for _, h := range p.handlers() {
		errs = append(errs, h.Close(ctx))
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
		others := p.startOthers(work)

		// Upstream first: nothing more comes in, then all of it works off what
		// there is, and what is tried again meanwhile.
		err := producers()
		p.drain()
		select {
		case <-p.drained:
		case <-work.Done():
		}
		for _, s := range p.processors {
			s.inbox.close()
		}
		processors()
		for _, b := range p.batchers {
			b.end()
		}
		batchers()
		others()
		done <- err
	}()
	return done
}

func (p *Pipeline) startBatchers(work context.Context) (wait func()) {
	var slots []*batchProcessor
	for _, b := range p.batchers {
		for i := range b.slots {
			slots = append(slots, newBatchProcessor(b, i))
		}
	}
	return startAll(slots, func(s *batchProcessor) { s.run(work) })
}

// startOthers runs what messages that failed go through.
func (p *Pipeline) startOthers(work context.Context) (end func()) {
	work, cancel := context.WithCancel(work)
	var wg sync.WaitGroup
	wg.Go(func() { p.retrier.run(work, p.again) })
	if p.failed != nil {
		wg.Go(func() { p.failed.run(work) })
	}
	if p.unlocker != nil {
		wg.Go(func() { p.unlocker.run(work) })
	}
	return func() {
		cancel()
		wg.Wait()
	}
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
