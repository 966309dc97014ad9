// Package host wires the rooms of the house: it makes of a [config.Config] the
// sources, plugins, sinks and pipelines that it names, and runs them. Start
// with [New], then call [Host.Run]. [Check] does everything short of running.
package host

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
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
	log     *slog.Logger
	engine  *plugin.Engine
	metrics *metrics
	journal *journal.Journal // nil without one
	control *control.Server  // nil without a journal
	lines   []*line
}

// New loads every plugin and makes every pipeline; nothing is pulled yet, and
// no server has to be there. The error holds everything that is wrong, pipeline
// by pipeline. A host that is made must be run, or closed.
func New(ctx context.Context, c *config.Config, o Options) (*Host, error) {
	o = o.withDefaults()
	o.MetricsListen = cmp.Or(o.MetricsListen, c.Metrics.Listen)
	engine, err := plugin.Open(ctx, plugin.Options{CacheDir: c.CacheDir, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	h := &Host{log: o.Logger, engine: engine}
	var errs []error
	if h.metrics, err = newMetrics(o); err != nil {
		errs = append(errs, err)
	}
	if h.journal, err = openJournal(c.Journal, o.Logger); err != nil {
		errs = append(errs, err)
	}
	h.metrics.watchJournal(h.journal)
	w := workshop{engine: engine, options: o, sinks: newSinks(o), metrics: h.metrics, journal: h.journal}
	for _, p := range c.Pipelines {
		l, err := w.line(ctx, p)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		h.lines = append(h.lines, l)
		h.metrics.watch(l)
	}
	if len(errs) > 0 {
		return nil, errors.Join(append(errs, h.Close(ctx))...)
	}
	h.listen(c, o.Version)
	return h, nil
}

// Run runs every pipeline until ctx ends and each has drained, and closes the
// host. A pipeline that fails is logged at once and does not stop the others;
// the error holds what became of each.
func (h *Host) Run(ctx context.Context) error {
	errs := make([]error, len(h.lines), len(h.lines)+2)
	stop, stopControl, stopForwarding := h.metrics.serve(ctx, h.log), h.serveControl(ctx), h.forward(ctx)
	var wg sync.WaitGroup
	for i, l := range h.lines {
		wg.Go(func() {
			if errs[i] = l.pipeline.Run(ctx); errs[i] != nil {
				l.failed.Store(true)
				h.log.Error("pipeline ended", "pipeline", l.name, "error", errs[i])
			}
		})
	}
	wg.Wait()
	stopForwarding()
	stopControl()
	return errors.Join(append(errs, stop(), h.Close(context.WithoutCancel(ctx)))...)
}

// Close gives back what New took. Run does it by itself.
func (h *Host) Close(ctx context.Context) error {
	errs := []error{h.closeControl()}
	for _, l := range h.lines {
		errs = append(errs, l.close(ctx))
	}
	if h.journal != nil {
		errs = append(errs, h.journal.Close())
	}
	return errors.Join(append(errs, h.metrics.close(), h.engine.Close(ctx))...)
}

// Books returns the books of every pipeline, by name.
func (h *Host) Books() map[string]pipeline.Books {
	books := make(map[string]pipeline.Books, len(h.lines))
	for _, l := range h.lines {
		books[l.name] = l.pipeline.Books()
	}
	return books
}
