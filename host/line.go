package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/partition"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/provenance"
	"github.com/relayhost/relayhost/host/secret"
	source "github.com/relayhost/relayhost/host/source/eventrelay"
	"github.com/relayhost/relayhost/host/versions"
)

// line is one pipeline with what it owns: its connection and its plugin.
type line struct {
	name       string
	config     config.Pipeline // but for the plugin, which the rollouts know
	pipeline   *pipeline.Pipeline
	loaded     *plugin.Plugin     // until there is a deployment
	deployment *plugin.Deployment // nil until the line is whole
	history    *versions.History
	rollouts   *rollouts
	conn       *grpc.ClientConn
	inbox      *journal.Inbox    // nil without a journal
	log        *source.LogSource // nil in mode queue
	forward    *forwarder        // nil if dead letters go nowhere
	keep       func()            // notes the version that it begins with; nil if there is nothing to be noted

	stop  context.CancelFunc    // nil before start
	ended chan struct{}         // closed when the line has come to its end
	err   atomic.Pointer[error] // what the pipeline ended with, nil if all is well
}

// start runs the line until ctx ends or stop is called, and calls ended with what
// became of it.
func (l *line) start(ctx context.Context, ended func(error)) {
	ctx, l.stop = context.WithCancel(ctx)
	go func() {
		defer l.stop()
		err := l.run(ctx)
		if err != nil {
			l.err.Store(&err)
		}
		close(l.ended)
		ended(err)
	}()
}

func (l *line) run(ctx context.Context) error {
	beside, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(beside, l.deployment.Stop)()
	var wg, forwarding sync.WaitGroup
	wg.Go(func() { l.rollouts.run(beside) })
	wg.Go(func() { l.watch(beside) })
	forward, stopForwarding := context.WithCancel(context.WithoutCancel(ctx))
	if l.forward != nil {
		forwarding.Go(func() { l.forward.run(forward) })
	}
	err := l.pipeline.Run(ctx)
	cancel()
	l.deployment.Stop()
	wg.Wait()
	stopForwarding()
	forwarding.Wait()
	return err
}

// failure is what the pipeline ended with, nil while it runs.
func (l *line) failure() error {
	if err := l.err.Load(); err != nil {
		return *err
	}
	return nil
}

// close gives back what the line has; it may be half made.
func (l *line) close(ctx context.Context) error {
	var errs []error
	switch {
	case l.deployment != nil:
		errs = append(errs, l.deployment.Close(ctx))
	case l.loaded != nil:
		errs = append(errs, l.loaded.Close(ctx))
	}
	if l.conn != nil {
		errs = append(errs, l.conn.Close())
	}
	if l.inbox != nil {
		l.inbox.Close()
	}
	errs = append(errs, l.forward.close())
	return errors.Join(errs...)
}

// workshop makes lines.
type workshop struct {
	engine   *plugin.Engine
	options  Options
	sinks    sinks
	metrics  *metrics
	journal  *journal.Journal // nil without one
	versions *versions.Store
	// background: events flow meanwhile, and a plugin that is loaded leaves them
	// the machine.
	background bool
}

func (w workshop) line(ctx context.Context, c config.Pipeline) (*line, error) {
	l, err := w.prepare(ctx, c)
	if err == nil {
		err = w.finish(l)
	}
	if err != nil {
		return nil, errors.Join(about(c.Name, err), l.close(ctx))
	}
	return l, nil
}

// prepare makes those parts of a line that there may be twice at a time.
func (w workshop) prepare(ctx context.Context, c config.Pipeline) (l *line, err error) {
	l = &line{name: c.Name, config: c, ended: make(chan struct{})}
	if l.history, err = w.versions.Pipeline(c.Name); err != nil {
		return l, err
	}
	var later *proposal
	if l.loaded, later, err = w.first(ctx, l); err != nil {
		return l, err
	}
	if l.conn, err = eventrelay.Dial(connection(c.Producer)); err != nil {
		return l, err
	}
	l.deployment = plugin.Deploy(l.loaded, w.deployOptions(l))
	l.rollouts = newRollouts(w.engine, l.deployment, l.history, c, w.options.Logger.With("pipeline", c.Name))
	if later != nil {
		l.rollouts.suggest(later)
	}
	return l, nil
}

// finish makes the others, in the order in which they need each other.
func (w workshop) finish(l *line) (err error) {
	c, shape := l.config, w.shape(l.config)
	if l.inbox, err = w.inbox(c); err != nil {
		return err
	}
	if l.inbox != nil {
		shape.Journal = l.inbox
	}
	if l.forward, err = w.forwarder(c); err != nil {
		return err
	}
	if l.pipeline, err = pipeline.New(shape, w.source(l, c), seats{l.deployment}); err == nil && l.keep != nil {
		l.keep()
		l.keep = nil // it holds on to the file
	}
	return err
}

func (w workshop) deployOptions(l *line) plugin.DeployOptions {
	o := plugin.DeployOptions{
		Flush:  func(ctx context.Context) error { return l.pipeline.Flush(ctx) },
		Busy:   func() bool { return l.pipeline.Books().InFlight > 0 },
		Idle:   l.config.Plugin.IdleTimeout,
		Logger: w.options.Logger.With("pipeline", l.name),
	}
	if l.config.Processors.PartitionBy == nil {
		for _, b := range l.config.Batchers {
			if b.PartitionBy != nil { // the same for all of them with mode canary
				o.Key = b.PartitionBy.Value
			}
		}
	}
	return o
}

// load reads and loads a pipeline's plugin.
func load(ctx context.Context, engine *plugin.Engine, c config.Pipeline) (*plugin.Plugin, error) {
	wasm, signature, err := readModule(c)
	if err != nil {
		return nil, err
	}
	if err := provenanceOf(c, wasm, signature, false); err != nil {
		return nil, fmt.Errorf("plugin %s: %w", c.Plugin.Module, err)
	}
	return engine.Load(ctx, c.Plugin.Module, wasm, settings(c))
}

// readModule reads a module, and its signature if one is asked for.
func readModule(c config.Pipeline) (file, signature []byte, err error) {
	if file, err = plugin.ReadFile(c.Plugin.Module, c.Plugin.Limits.ModuleSize); err != nil {
		return nil, nil, err
	}
	if len(c.Plugin.PublicKeys) > 0 {
		signature, err = provenance.ReadSignature(provenance.FindSignature(c.Plugin.Module, c.Plugin.Signature))
	}
	return file, signature, err
}

// settings is what a pipeline's configuration says about its plugin.
func settings(c config.Pipeline) plugin.Settings {
	return plugin.Settings{
		Pipeline:  c.Name,
		Config:    string(c.Plugin.Config),
		NeedBatch: len(c.Batchers) > 0,
		Limits:    limits(c.Plugin.Limits),
		State:     plugin.State(c.Plugin.State),
		Clock:     plugin.Clock(c.Plugin.Clock),
		Random:    plugin.Random(c.Plugin.Random),
	}
}

// limits is the configured limits in the plugin's own terms. The configuration
// has bounds for all of them.
func limits(l config.Limits) plugin.Limits {
	const page = 64 << 10
	return plugin.Limits{
		Message:       plugin.Limit{Deadline: l.MessageDeadline, Fuel: uint64(l.MessageFuel)},
		Batch:         plugin.Limit{Deadline: l.BatchDeadline, Fuel: uint64(l.BatchFuel)},
		Configure:     plugin.Limit{Deadline: l.ConfigureDeadline, Fuel: uint64(l.ConfigureFuel)},
		Start:         plugin.Limit{Deadline: l.StartDeadline, Fuel: uint64(l.StartFuel)},
		MemoryPages:   uint32(l.Memory / page),
		KeptPages:     uint32(l.KeptMemory / page),
		TableElements: uint32(l.TableElements),
		Module: plugin.ModuleLimits{
			Size: l.ModuleSize, Functions: l.Functions, FunctionSize: l.FunctionSize,
			Locals: l.Locals, Nesting: l.Nesting, CompileTime: l.CompileTime,
		},
		OutputSize: l.OutputSize, OutputRecords: l.OutputRecords, Outputs: l.Outputs,
		LogLines: l.LogLines, LogBytes: l.LogBytes,
		Spares: l.Spares, Failures: l.Failures,
	}
}

// connection is where a producer's server is.
func connection(p config.Producer) eventrelay.Options {
	return eventrelay.Options{
		Host: p.Host, Port: p.Port, TLS: p.TLS,
		Token:    secret.New(p.Token.Reveal()),
		CertFile: p.CertFile, KeyFile: p.KeyFile, CACertFile: p.CACertFile,
	}
}

// shape is the configuration in the pipeline's own terms.
func (w workshop) shape(c config.Pipeline) pipeline.Config {
	shape := pipeline.Config{
		Name:             c.Name,
		Observer:         w.observer(c),
		Shutdown:         c.Shutdown,
		MaxInFlight:      c.MaxInFlight,
		MaxInFlightBytes: int64(c.MaxInFlightBytes),
		Producer: pipeline.ProducerConfig{
			Concurrency: c.Producer.Concurrency,
			RateLimit: pipeline.RateLimit{
				Messages: c.Producer.RateLimiting.AllowedMessages,
				Interval: c.Producer.RateLimiting.Interval,
			},
		},
		Processors: pipeline.ProcessorsConfig{
			Concurrency: c.Processors.Concurrency,
			MaxDemand:   c.Processors.MaxDemand,
			MinDemand:   c.Processors.MinDemand,
			PartitionBy: partitionBy(c.Processors.PartitionBy),
		},
		Failures: pipeline.FailureConfig{
			OnFailure: onFailure(c.OnFailure),
			Retry: pipeline.RetryConfig{
				MaxAttempts: c.Retry.MaxAttempts,
				Backoff:     c.Retry.Backoff,
				MaxBackoff:  c.Retry.MaxBackoff,
				KeepOrder:   c.Retry.KeepOrder,
				Exhausted:   onFailure(c.Retry.Exhausted),
			},
		},
		Logger: w.options.Logger,
	}
	for _, b := range c.Batchers {
		shape.Batchers = append(shape.Batchers, w.batcher(b))
	}
	return shape
}

func (w workshop) batcher(b config.Batcher) pipeline.BatcherConfig {
	return pipeline.BatcherConfig{
		Name: b.Name, Concurrency: b.Concurrency,
		BatchSize: b.BatchSize, BatchBytes: b.BatchBytes, BatchTimeout: b.BatchTimeout, MaxOpen: b.MaxOpen,
		PartitionBy: partitionBy(b.PartitionBy),
		Sink:        w.sinks[b.Sink], SinkTimeout: b.SinkTimeout,
	}
}

// partitionBy is a field in the pipeline's own terms; nil for none.
func partitionBy(f *partition.Field) *pipeline.Partition {
	if f == nil {
		return nil
	}
	return &pipeline.Partition{Field: f.String(), Value: f.Value}
}

// onFailure is the action of a name that the configuration has checked.
func onFailure(name string) message.OnFailure {
	action, _ := message.ParseOnFailure(name)
	return action
}

// slots makes a plugin's slots the pipeline's handlers.
type slots struct{ plugin *plugin.Plugin }

func (s slots) NewHandler(ctx context.Context, stage message.Stage) (pipeline.Handler, error) {
	if stage == message.StageFailures && !s.Callbacks().HandleFailed {
		return nil, nil
	}
	return s.plugin.NewSlot(ctx)
}

func (s slots) Callbacks() pipeline.Callbacks {
	return pipeline.Callbacks{
		PrepareMessages: s.plugin.Exports(abi.ExportPrepare),
		HandleFailed:    s.plugin.Exports(abi.ExportFailed),
	}
}

// seats makes a deployment's seats the pipeline's handlers.
type seats struct{ deployment *plugin.Deployment }

func (s seats) NewHandler(ctx context.Context, stage message.Stage) (pipeline.Handler, error) {
	return s.deployment.Sit(ctx, stage)
}

func (s seats) Callbacks() pipeline.Callbacks {
	return pipeline.Callbacks{PrepareMessages: s.deployment.Prepares(), HandleFailed: s.deployment.Fails()}
}
