// Package host wires the rooms of the house: it makes of a [config.Config] the
// sources, plugins, sinks and pipelines that it names, and runs them. Start
// with [New], then call [Host.Run]. [Check] does everything short of running.
//
// While it runs, a pipeline's plugin changes when its file does, and pipelines
// come, go and change with [Host.Reload]; [ControlSocket] is where it is told.
package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"slices"
	"sync"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/versions"
)

// Options are what a host gets from its process rather than from its
// configuration.
type Options struct {
	// Version is what the host says of itself when it is asked.
	Version string
	// Stdout is where stdout sinks write; it defaults to discarding.
	Stdout io.Writer
	// Logger defaults to discarding.
	Logger *slog.Logger
	// MetricsListen is the address at which the host tells how it is, such as
	// "127.0.0.1:9464" (docs/metrics.md). Defaults to the configuration's, or none.
	MetricsListen string
	// Observer makes what a pipeline is observed by. Defaults to what counts for
	// MetricsListen, or none; another one takes its place.
	Observer func(pipeline string) pipeline.Observer
	// Load reads the configuration again, for [Host.Reload]. Defaults to none:
	// then it cannot be.
	Load func() (*config.Config, error)
	// Compiler is [plugin.Options]' own.
	Compiler func(ctx context.Context) *exec.Cmd
}

func (o Options) withDefaults() Options {
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Host runs pipelines. Make it with [New].
type Host struct {
	log      *slog.Logger
	engine   *plugin.Engine
	metrics  *metrics
	journal  *journal.Journal // nil without one
	control  []*control.Server
	workshop workshop

	reloading sync.Mutex // held by the one that changes which lines there are
	config    *config.Config

	mu      sync.Mutex
	lines   []*line
	running int           // lines, and reloads
	over    chan struct{} // closed when nothing runs any more
	ctx     context.Context
}

// New loads every plugin and makes every pipeline; nothing is pulled yet, and
// no server has to be there. The error holds everything that is wrong, pipeline
// by pipeline. A host that is made must be run, or closed.
func New(ctx context.Context, c *config.Config, o Options) (*Host, error) {
	o = o.withDefaults()
	o.MetricsListen = cmp.Or(o.MetricsListen, c.Metrics.Listen)
	engine, err := plugin.Open(ctx, plugin.Options{CacheDir: c.CacheDir, Logger: o.Logger, Compiler: o.Compiler})
	if err != nil {
		return nil, err
	}
	h := &Host{log: o.Logger, engine: engine, config: c, over: make(chan struct{})}
	var errs []error
	if h.metrics, err = newMetrics(o); err != nil {
		errs = append(errs, err)
	}
	if h.journal, err = openJournal(c.Journal, o.Logger); err != nil {
		errs = append(errs, err)
	}
	store, err := versions.Open(c.Versions.Dir, c.Versions.Keep, o.Logger)
	if err != nil {
		errs = append(errs, err)
	}
	h.metrics.watchJournal(h.journal)
	h.workshop = workshop{engine: engine, options: o, sinks: newSinks(o), metrics: h.metrics, journal: h.journal, versions: store}
	if store != nil {
		errs = append(errs, h.makeLines(ctx, c))
	}
	if err = errors.Join(errs...); err == nil {
		err = h.listen(c)
	}
	if err != nil {
		return nil, errors.Join(err, h.Close(ctx))
	}
	return h, nil
}

// makeLines makes every pipeline that can be made.
func (h *Host) makeLines(ctx context.Context, c *config.Config) error {
	var errs []error
	for _, p := range c.Pipelines {
		l, err := h.workshop.line(ctx, p)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		h.lines = append(h.lines, l)
		h.metrics.watch(l)
	}
	return errors.Join(errs...)
}

// Run runs every pipeline until ctx ends and each has drained, and closes the
// host. A pipeline that fails is logged at once and does not stop the others;
// the error holds what became of each.
func (h *Host) Run(ctx context.Context) error {
	stop, stopControl := h.metrics.serve(ctx, h.log), h.serveControl(ctx)
	h.startAll(ctx)
	<-h.over
	stopControl()
	var errs []error
	for _, l := range h.all() {
		errs = append(errs, l.failure())
	}
	return errors.Join(append(errs, stop(), h.Close(context.WithoutCancel(ctx)))...)
}

func (h *Host) startAll(ctx context.Context) {
	h.reloading.Lock()
	defer h.reloading.Unlock()
	h.mu.Lock()
	h.ctx = ctx
	h.running++ // so that the lines do not end it before all have begun
	h.mu.Unlock()
	for _, l := range h.all() {
		h.start(l)
	}
	h.leave()
}

// start runs a line. It must be told before the last one has ended.
func (h *Host) start(l *line) {
	h.mu.Lock()
	h.running++
	ctx := h.ctx
	h.mu.Unlock()
	l.start(ctx, func(err error) {
		if err != nil {
			h.log.Error("pipeline ended", "pipeline", l.name, "error", err)
		}
		h.leave()
	})
}

// enter keeps a host running that does. It reports false if it has not begun or
// is over.
func (h *Host) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running == 0 || h.ctx.Err() != nil {
		return false
	}
	h.running++
	return true
}

func (h *Host) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running--; h.running == 0 {
		close(h.over)
	}
}

// Close gives back what New took. Run does it by itself.
func (h *Host) Close(ctx context.Context) error {
	errs := []error{h.closeControl()}
	for _, l := range h.all() {
		errs = append(errs, l.close(ctx))
	}
	if h.journal != nil {
		errs = append(errs, h.journal.Close())
	}
	return errors.Join(append(errs, h.metrics.close(), h.engine.Close(ctx))...)
}

// all are the lines that there are now.
func (h *Host) all() []*line {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines)
}

// line is the line of a name, nil if there is none.
func (h *Host) line(name string) *line {
	for _, l := range h.all() {
		if l.name == name {
			return l
		}
	}
	return nil
}

// Books returns the books of every pipeline, by name.
func (h *Host) Books() map[string]pipeline.Books {
	lines := h.all()
	books := make(map[string]pipeline.Books, len(lines))
	for _, l := range lines {
		books[l.name] = l.pipeline.Books()
	}
	return books
}

// about is an error of a pipeline.
func about(pipeline string, err error) error { return fmt.Errorf("pipeline %q: %w", pipeline, err) }
