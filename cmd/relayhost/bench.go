package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/trial"
)

type benchCommand struct {
	File       string        `arg:"" help:"The plugin's .wasm file."`
	Event      []string      `sep:"none" placeholder:"FILE" help:"A file of events, as for plugin test, which come over and over. May be given several times. The demo's kind of event by default."`
	Config     string        `placeholder:"FILE" help:"The plugin's config table: a TOML or JSON file, or JSON text that begins with a brace."`
	Batcher    []string      `sep:"none" placeholder:"NAME[:SIZE]" help:"Have a batcher of this name; its size is 100 by default. May be given several times. There is none by default."`
	HostConfig string        `short:"c" placeholder:"FILE" help:"Have the pipeline of this configuration of relayhost."`
	Pipeline   string        `placeholder:"NAME" help:"Which pipeline of the configuration, if it has several."`
	Processors int           `placeholder:"N" help:"How many messages are handled at a time. The configuration's, or the number of CPUs."`
	MaxDemand  int           `placeholder:"N" help:"How many events a processor asks for at most. The configuration's, or 10."`
	Duration   time.Duration `default:"10s" help:"How long events come."`
	JSON       bool          `name:"json" help:"Print an object."`
}

// Help is shown below the flags.
func (benchCommand) Help() string {
	return `The events come from memory as fast as they are asked for, and what batches make of
them is discarded: it is the plugin and the pipeline that are measured, with
metering, deadlines and limits as they run. No event is tried again. The exit status
is 0 if every event was ok, 1 if some failed, 2 if nothing could be run.`
}

// Run runs a pipeline for some time and prints how fast it was.
func (c *benchCommand) Run(ctx context.Context, p *process) error {
	setup, messages, err := c.read(p)
	if err != nil {
		return unusable(err)
	}
	engine, err := plugin.Open(ctx, plugin.Options{CacheDir: setup.CacheDir, Logger: p.log})
	if err != nil {
		return err
	}
	figures, err := c.measure(ctx, engine, setup, messages)
	err = errors.Join(err, engine.Close(context.WithoutCancel(ctx)))
	if _, refused := errors.AsType[*plugin.Refusal](err); refused {
		return unusable(err)
	}
	if err != nil {
		return err
	}
	out := printer{p.out, c.JSON}
	if err := out.print(figures); err != nil {
		return err
	}
	return figures.verdict()
}

// read reads what was named, as plugin test does.
func (c *benchCommand) read(p *process) (setup trial.Options, messages []*message.Message, err error) {
	switch {
	case c.Duration <= 0:
		return setup, nil, fmt.Errorf("--duration is %v, want a positive duration", c.Duration)
	case c.Processors < 0 || c.MaxDemand < 0:
		return setup, nil, errors.New("--processors and --max-demand must be at least 1")
	}
	try := tryCommand{
		File: c.File, Event: c.Event, Config: c.Config,
		Batcher: c.Batcher, HostConfig: c.HostConfig, Pipeline: c.Pipeline,
	}
	given := *p
	if len(c.Event) == 0 {
		try.Event, given.in = []string{"-"}, strings.NewReader(benchEvent)
	}
	setup, events, err := try.read(&given)
	if err != nil {
		return setup, nil, err
	}
	setup.Settings.Limits.Failures = 0 // what try.read says is for a few events
	setup.Settings.NeedBatch = len(setup.Pipeline.Batchers) > 0
	messages, err = trial.Messages(events)
	return setup, messages, err
}

const benchEvent = `{"id": "4cb3e3a0-6c56-4d4e-8ad4-1ad5e9b9a8f0", "name": "user.created", "topic": "users",
	"data": {"id": 4711, "person": {"first_name": "Ada", "last_name": "Lovelace"}, "tags": ["new", "web"]}}`

// shape is the pipeline that is measured.
func (c *benchCommand) shape(setup trial.Options) pipeline.Config {
	shape := setup.Pipeline
	shape.Name = cmp.Or(shape.Name, "bench")
	shape.Shutdown = benchShutdown
	shape.Producer = pipeline.ProducerConfig{Concurrency: 1}
	shape.Processors.Concurrency = cmp.Or(c.Processors, shape.Processors.Concurrency, runtime.NumCPU())
	if c.MaxDemand > 0 || shape.Processors.MaxDemand == 0 {
		shape.Processors.MaxDemand = cmp.Or(c.MaxDemand, 10)
		shape.Processors.MinDemand = shape.Processors.MaxDemand / 2
	}
	for i := range shape.Batchers {
		b := &shape.Batchers[i]
		b.Concurrency, b.BatchSize = cmp.Or(b.Concurrency, 1), cmp.Or(b.BatchSize, 100)
		b.BatchTimeout, b.Sink = cmp.Or(b.BatchTimeout, time.Second), discard{}
	}
	shape.Failures = pipeline.FailureConfig{OnFailure: message.Drop}
	shape.Logger = slog.New(slog.DiscardHandler) // a line for each failure is no help
	return shape
}

// benchShutdown is how long what is in flight may take once no more events come.
const benchShutdown = 5 * time.Second

// measure runs the pipeline for as long as it is to.
func (c *benchCommand) measure(
	ctx context.Context, engine *plugin.Engine, setup trial.Options, messages []*message.Message,
) (f benchFigures, err error) {
	loaded, err := engine.Load(ctx, c.File, setup.Module, setup.Settings)
	if err != nil {
		return f, err
	}
	bench := newBenchLine(loaded, messages)
	defer func() { err = errors.Join(err, loaded.Close(context.WithoutCancel(ctx))) }()
	line, err := pipeline.New(c.shape(setup), bench, bench)
	if err != nil {
		return f, err
	}
	limited, cancel := context.WithTimeout(ctx, c.Duration)
	defer cancel()
	err = line.Run(limited)
	if _, cut := errors.AsType[*pipeline.UnsettledError](err); cut {
		err = nil // what was slow to the end does not count
	}
	return bench.figures(), err
}
