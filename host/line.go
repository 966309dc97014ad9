package host

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/relayhost/relayhost/host/secret"
	source "github.com/relayhost/relayhost/host/source/eventrelay"
)

// line is one pipeline with what it owns: its connection and its plugin.
type line struct {
	name     string
	pipeline *pipeline.Pipeline
	plugin   *plugin.Plugin
	conn     *grpc.ClientConn
	inbox    *journal.Inbox    // nil without a journal
	log      *source.LogSource // nil in mode queue
	forward  *forwarder        // nil if dead letters go nowhere
	failed   atomic.Bool       // the pipeline ended with an error
}

// close gives back what the line has; it may be half made.
func (l *line) close(ctx context.Context) error {
	var errs []error
	if l.plugin != nil {
		errs = append(errs, l.plugin.Close(ctx))
	}
	if l.conn != nil {
		errs = append(errs, l.conn.Close())
	}
	errs = append(errs, l.forward.close())
	return errors.Join(errs...)
}

// workshop makes lines.
type workshop struct {
	engine  *plugin.Engine
	options Options
	sinks   sinks
	metrics *metrics
	journal *journal.Journal // nil without one
}

func (w workshop) line(ctx context.Context, c config.Pipeline) (*line, error) {
	l := &line{name: c.Name}
	if err := w.fit(ctx, l, c); err != nil {
		return nil, errors.Join(fmt.Errorf("pipeline %q: %w", c.Name, err), l.close(ctx))
	}
	return l, nil
}

// fit makes a line's parts in the order in which they need each other.
func (w workshop) fit(ctx context.Context, l *line, c config.Pipeline) (err error) {
	if l.plugin, err = load(ctx, w.engine, c); err != nil {
		return err
	}
	server := connection(c.Producer)
	if l.conn, err = eventrelay.Dial(server); err != nil {
		return err
	}
	shape := w.shape(c)
	if l.inbox, err = w.inbox(c); err != nil {
		return err
	}
	if l.inbox != nil {
		shape.Journal = l.inbox
	}
	if l.forward, err = w.forwarder(c); err != nil {
		return err
	}
	l.pipeline, err = pipeline.New(shape, w.source(l, c), slots{l.plugin})
	return err
}

// load reads and loads a pipeline's plugin.
func load(ctx context.Context, engine *plugin.Engine, c config.Pipeline) (*plugin.Plugin, error) {
	wasm, err := plugin.ReadFile(c.Plugin.Module, c.Plugin.Limits.ModuleSize)
	if err != nil {
		return nil, err
	}
	return engine.Load(ctx, c.Plugin.Module, wasm, settings(c))
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

func (s slots) NewHandler(ctx context.Context, stage pipeline.Stage) (pipeline.Handler, error) {
	if stage == pipeline.Failures && !s.Callbacks().HandleFailed {
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
