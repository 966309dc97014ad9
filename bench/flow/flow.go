// Package flow measures pipelines from an in-memory source to a sink that discards.
// Start with [Open], then call [Engine.Run].
package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/relayhost/relayhost/bench/guests"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
)

// Shape is a pipeline that is measured; what is zero is as a configuration has it
// by default, but for a single slot.
type Shape struct {
	// Module is the guest; nil for a handler that does nothing, in the host.
	Module []byte
	// Data is the events' data, guests.Data by default.
	Data string
	// Slots is the number of processors, 1 by default.
	Slots int
	// MaxDemand is 10 by default, and MinDemand half of it.
	MaxDemand int
	// BatchSize is 100 by default; below 0 there are no batchers.
	BatchSize int
	// Keys is the number of batch keys, 1 by default.
	Keys int
	// Pipelines is how many run at a time, 1 by default.
	Pipelines int
	// Rate is how many events a second come, 0 for as many as can be handled.
	Rate float64
}

// Result is what was measured.
type Result struct {
	Rate        float64       // events a second
	Allocations float64       // for an event, whatever made them
	Bytes       float64       // allocated for an event
	CPU         time.Duration // that the process used for an event
	P50, P99    time.Duration // from when an event was due until it was settled
}

// Engine compiles guests, each once.
type Engine struct {
	engine *plugin.Engine
	cache  string
	stores map[string]*store
}

// Open makes an engine.
func Open(ctx context.Context) (*Engine, error) {
	cache, err := os.MkdirTemp("", "relayhost-bench-")
	if err != nil {
		return nil, err
	}
	engine, err := plugin.Open(ctx, plugin.Options{CacheDir: cache})
	return &Engine{engine, cache, make(map[string]*store)}, err
}

// Close gives it back.
func (e *Engine) Close(ctx context.Context) error {
	return errors.Join(e.engine.Close(ctx), os.RemoveAll(e.cache))
}

func (e *Engine) source(data string, rate float64) *source {
	if e.stores[data] == nil {
		e.stores[data] = newStore(data)
	}
	return &source{store: e.stores[data], rate: rate}
}

// Run runs pipelines for some time, after a warm-up of a fifth of it.
func (e *Engine) Run(ctx context.Context, s Shape, length time.Duration) (r Result, err error) {
	var lines []*line
	defer func() {
		for _, l := range lines {
			l.cancel()
		}
		for _, l := range lines {
			err = errors.Join(err, l.stop(ctx))
		}
	}()
	for range max(s.Pipelines, 1) {
		l, err := e.line(ctx, s)
		if err != nil {
			return r, err
		}
		lines = append(lines, l)
	}
	for _, l := range lines {
		l.start(ctx)
	}
	time.Sleep(length / 5)
	return measure(lines, length), nil
}

// line is a pipeline that runs.
type line struct {
	source     *source
	pipeline   *pipeline.Pipeline
	deployment *plugin.Deployment
	cancel     func()
	done       chan error
}

func (e *Engine) line(ctx context.Context, s Shape) (*line, error) {
	l := &line{source: e.source(cmp.Or(s.Data, guests.Data), s.Rate), cancel: func() {}}
	var handlers pipeline.Plugin = native{}
	if s.Module != nil {
		loaded, err := e.engine.Load(ctx, "guest", s.Module, plugin.Settings{Pipeline: "bench", NeedBatch: s.BatchSize >= 0})
		if err != nil {
			return nil, err
		}
		l.deployment = plugin.Deploy(loaded, plugin.DeployOptions{
			Flush:  func(ctx context.Context) error { return l.pipeline.Flush(ctx) },
			Logger: slog.New(slog.DiscardHandler),
		})
		handlers = seats{l.deployment, s.Keys}
	}
	var err error
	l.pipeline, err = pipeline.New(s.config(), l.source, handlers)
	return l, err
}

func (l *line) start(ctx context.Context) {
	ctx, l.cancel = context.WithCancel(ctx)
	l.done = make(chan error, 1)
	l.source.began = time.Now()
	go func() { l.done <- l.pipeline.Run(ctx) }()
}

func (s Shape) config() pipeline.Config {
	demand := cmp.Or(s.MaxDemand, 10)
	c := pipeline.Config{
		Name: "bench", Shutdown: 30 * time.Second,
		Producer:   pipeline.ProducerConfig{Concurrency: 1},
		Processors: pipeline.ProcessorsConfig{Concurrency: cmp.Or(s.Slots, 1), MaxDemand: demand, MinDemand: demand / 2},
	}
	if s.BatchSize >= 0 {
		c.Batchers = []pipeline.BatcherConfig{{
			Name: "default", Concurrency: 1, BatchSize: cmp.Or(s.BatchSize, 100), BatchTimeout: time.Second, Sink: discard{},
		}}
	}
	return c
}

// measure counts what is settled in some time, and what that takes.
func measure(lines []*line, length time.Duration) (r Result) {
	var before, after runtime.MemStats
	for _, l := range lines {
		l.source.measured.Store(true)
	}
	runtime.ReadMemStats(&before)
	began, first, cpu := time.Now(), settled(lines), processorTime()
	time.Sleep(length)
	n, took := settled(lines)-first, time.Since(began)
	cpu = processorTime() - cpu
	runtime.ReadMemStats(&after)
	r.Rate = float64(n) / took.Seconds()
	if n > 0 {
		r.Allocations = float64(after.Mallocs-before.Mallocs) / float64(n)
		r.Bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
		r.CPU = cpu / time.Duration(n)
	}
	r.P50, r.P99 = lines[0].source.percentiles()
	return r
}

func settled(lines []*line) (n int64) {
	for _, l := range lines {
		n += l.source.settled.Load()
	}
	return n
}

// processorTime is what the process has used of the processors so far.
func processorTime() time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func (s *source) percentiles() (p50, p99 time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.times) == 0 {
		return 0, 0
	}
	slices.Sort(s.times)
	return s.times[len(s.times)/2], s.times[len(s.times)*99/100]
}

// stop drains a pipeline. Every event must have been handled.
func (l *line) stop(ctx context.Context) error {
	l.cancel()
	var err error
	if l.done != nil {
		err = <-l.done
	}
	if l.deployment != nil {
		l.deployment.Stop()
		err = errors.Join(err, l.deployment.Close(ctx))
	}
	if n := l.source.failed.Load(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d events have failed, one of them with: %v", n, l.source.reason.Load()))
	}
	return err
}
