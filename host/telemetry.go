package host

import (
	"context"
	"log/slog"
	"net"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/telemetry"
)

// metrics is how a host tells how it is. Nil tells nobody, and costs nothing.
type metrics struct {
	telemetry *telemetry.Telemetry
	server    *telemetry.Server
}

// newMetrics listens already, so that an address that is taken is found before
// anything is pulled.
func newMetrics(o Options) (*metrics, error) {
	if o.MetricsListen == "" {
		return nil, nil
	}
	t := telemetry.New()
	server, err := t.Listen(o.MetricsListen)
	if err != nil {
		return nil, err
	}
	return &metrics{t, server}, nil
}

// observer is what observes a pipeline, if something does.
func (w workshop) observer(c config.Pipeline) pipeline.Observer {
	switch {
	case w.options.Observer != nil:
		return w.options.Observer(c.Name)
	case w.metrics == nil:
		return nil
	}
	batchers := make([]string, len(c.Batchers))
	for i, b := range c.Batchers {
		batchers[i] = b.Name
	}
	return w.metrics.telemetry.Observer(c.Name, batchers...)
}

// watch has a line's state told.
func (m *metrics) watch(l *line) {
	if m != nil {
		m.telemetry.Watch(l.name, l.state)
	}
}

// forget has a line that is gone told of no more.
func (m *metrics) forget(l *line) {
	if m != nil {
		m.telemetry.Forget(l.name)
	}
}

// serve answers until stop is called: for as long as the pipelines drain, too.
func (m *metrics) serve(ctx context.Context, log *slog.Logger) (stop func() error) {
	if m == nil {
		return func() error { return nil }
	}
	log.Info("serving metrics", "address", m.server.Addr().String())
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() {
		err := m.server.Run(ctx)
		if err != nil {
			log.Error("metrics are served no longer", "error", err)
		}
		done <- err
	}()
	return func() error {
		cancel()
		return <-done
	}
}

// close gives up the address, if serve has not.
func (m *metrics) close() error {
	if m == nil {
		return nil
	}
	return m.server.Close()
}

// MetricsAddr is where the host tells how it is, nil if it does not.
func (h *Host) MetricsAddr() net.Addr {
	if h.metrics == nil {
		return nil
	}
	return h.metrics.server.Addr()
}

// state is what a line is, its books at one instant.
func (l *line) state() telemetry.State {
	books, waiting, shape := l.pipeline.Books(), l.pipeline.Waiting(), l.pipeline.Config()
	results, stage := l.rollouts.counts()
	return telemetry.State{
		Phase:    l.phase(),
		Received: books.Received, InFlight: books.InFlight, Settled: books.Settled, Bytes: books.Bytes,
		MaxInFlight: int64(shape.MaxInFlight), MaxBytes: shape.MaxInFlightBytes,
		Dropped: books.Dropped, DeadLettered: books.DeadLettered, Unlocked: books.Unlocked, Recovered: books.Recovered,
		Kept: l.kept(), Lag: l.lag(),
		Waiting: waiting.Batchers, Retries: waiting.Retries,
		HaltedPartitions: waiting.HaltedPartitions, HaltedMessages: waiting.HaltedMessages,
		Versions: l.versions(), Resting: l.deployment.Live().Usage().Resting,
		Rollouts: results, Stage: stage,
	}
}

// versions are the live one and the candidate, if there is one.
func (l *line) versions() []telemetry.Version {
	version := func(p *plugin.Plugin, state string) telemetry.Version {
		used := p.Usage()
		return telemetry.Version{Digest: p.Digest(), State: state, Fuel: used.Fuel, Discarded: used.Discarded}
	}
	all := []telemetry.Version{version(l.deployment.Live(), "live")}
	if candidate := l.deployment.Candidate(); candidate != nil {
		all = append(all, version(candidate, "candidate"))
	}
	return all
}

// phase says why a line takes nothing in; it is empty while it runs.
func (l *line) phase() string {
	phase := l.pipeline.Phase()
	switch {
	case phase == pipeline.Running:
		return ""
	case l.failure() != nil:
		return "ended with an error; the log has it"
	default:
		return phase.String()
	}
}

// lag is how many events wait in the log, nil if that is not known.
func (l *line) lag() *int64 {
	if l.log == nil {
		return nil
	}
	if n, known := l.log.Lag(); known {
		return &n
	}
	return nil
}
