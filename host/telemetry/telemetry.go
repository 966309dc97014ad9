// Package telemetry shows what pipelines do: as Prometheus metrics, and as the
// answers that a supervisor asks for. Make a [Telemetry], give each pipeline its
// [Telemetry.Observer], say with [Telemetry.Watch] where its books are, and
// serve all of it with [Telemetry.Listen].
//
// # Metrics
//
// docs/metrics.md lists them. What the books know is read from the books when
// somebody asks, each pipeline's at one instant: in every scrape received =
// settled + in flight. The rest is counted as it happens. Labels are the names of
// pipelines and batchers, plugins' digests and a few fixed words, never anything that comes from an
// event, a plugin's answer or a secret.
//
// # Cost
//
// An [Observer] finds its counters when it is made, and those of a plugin's
// version when it is first told of it: from then on a call allocates nothing and
// takes no lock, unless more versions are at work together than a swap has.
package telemetry

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Telemetry holds the metrics of a host's pipelines. Make it with [New]. Its
// methods may be called at any time, from any goroutine.
type Telemetry struct {
	registry *prometheus.Registry
	vectors  vectors

	mu        sync.Mutex
	pipelines []watched
	journal   func() Journal // nil for none
}

// watched is a pipeline and what tells its state.
type watched struct {
	name  string
	state func() State
}

// New makes the metrics of a host that has no pipelines yet, and those of its
// process.
func New() *Telemetry {
	t := &Telemetry{registry: prometheus.NewRegistry()}
	t.vectors = newVectors(t.registry)
	t.registry.MustRegister(
		books{t},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return t
}

// Watch has a pipeline's state shown, as the function tells it: at each scrape
// and each question whether the host is ready. It must be quick. Watching a name
// again replaces its function.
func (t *Telemetry) Watch(pipeline string, state func() State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := watched{pipeline, state}
	if i := slices.IndexFunc(t.pipelines, func(w watched) bool { return w.name == pipeline }); i >= 0 {
		t.pipelines[i] = w
		return
	}
	t.pipelines = append(t.pipelines, w)
}

// Forget has a pipeline shown no more. Its observer must have been told of
// everything.
func (t *Telemetry) Forget(pipeline string) {
	t.mu.Lock()
	t.pipelines = slices.DeleteFunc(t.pipelines, func(w watched) bool { return w.name == pipeline })
	t.mu.Unlock()
	t.vectors.forget(pipeline)
}

// WatchJournal has the host's journal shown. It must be quick.
func (t *Telemetry) WatchJournal(state func() Journal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.journal = state
}

// journalState is nil without a journal.
func (t *Telemetry) journalState() *Journal {
	t.mu.Lock()
	state := t.journal
	t.mu.Unlock()
	if state == nil {
		return nil
	}
	s := state()
	return &s
}

// watching is a copy of what is watched: no state is asked for under the lock.
func (t *Telemetry) watching() []watched {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.pipelines)
}
