package telemetry_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/telemetry"
)

var _ pipeline.Observer = (*telemetry.Observer)(nil)

// site is a server that runs until the test ends.
type site struct {
	t    *testing.T
	url  string
	stop func()
}

func serve(t *testing.T, metrics *telemetry.Telemetry) *site {
	t.Helper()
	server, err := metrics.Listen("127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	s := &site{t: t, url: "http://" + server.Addr().String()}
	s.stop = sync.OnceFunc(func() {
		cancel()
		must(t, <-done)
		http.DefaultClient.CloseIdleConnections()
	})
	t.Cleanup(s.stop)
	return s
}

func (s *site) get(path string) (status int, body string) {
	s.t.Helper()
	response, err := http.Get(s.url + path)
	must(s.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(s.t, err)
	return response.StatusCode, string(text)
}

// scrape is what /metrics says of the host's own.
func (s *site) scrape() families {
	s.t.Helper()
	status, body := s.get("/metrics")
	if status != http.StatusOK {
		s.t.Fatalf("/metrics answered %d: %s", status, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(body))
	must(s.t, err)
	for name := range all {
		if !strings.HasPrefix(name, "relayhost_") {
			delete(all, name)
		}
	}
	return all
}

type families map[string]*dto.MetricFamily

// sum is a metric's value over all series with these labels, written
// "name=value"; of a histogram, how much was observed.
func (f families) sum(name string, labels ...string) (sum int64) {
	for _, m := range f["relayhost_"+name].GetMetric() {
		have := map[string]bool{}
		for _, l := range m.GetLabel() {
			have[l.GetName()+"="+l.GetValue()] = true
		}
		matches := true
		for _, l := range labels {
			matches = matches && have[l]
		}
		if matches {
			sum += int64(m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount()))
		}
	}
	return sum
}

// watch has a pipeline's books shown as package host does.
func watch(t *telemetry.Telemetry, p *pipeline.Pipeline) {
	t.Watch(p.Config().Name, func() telemetry.State {
		b, w, c := p.Books(), p.Waiting(), p.Config()
		return telemetry.State{
			Received: b.Received, InFlight: b.InFlight, Settled: b.Settled, Bytes: b.Bytes,
			MaxInFlight: int64(c.MaxInFlight), MaxBytes: c.MaxInFlightBytes,
			Dropped: b.Dropped, DeadLettered: b.DeadLettered,
			Waiting: w.Batchers, Retries: w.Retries,
			HaltedPartitions: w.HaltedPartitions, HaltedMessages: w.HaltedMessages,
		}
	})
}

// source gives so many events, then io.EOF.
type source struct {
	mu   sync.Mutex
	left int
}

func (s *source) Pull(_ context.Context, _ <-chan struct{}, n int) ([]*message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n = min(n, s.left); n == 0 {
		return nil, io.EOF
	}
	messages := make([]*message.Message, n)
	for i := range messages {
		messages[i] = &message.Message{ID: "id", Event: event, Position: int64(s.left)}
		s.left--
	}
	return messages, nil
}

func (s *source) Settle([]*message.Message) {}

var event = []byte("a secret of the event")

// plugin handles with Go functions; without them all is well.
type plugin struct {
	message func(*message.Message) message.Patch
	failed  func([]message.Failure) ([]message.OnFailure, message.Outcome)
}

func (p plugin) NewHandler(_ context.Context, s message.Stage) (pipeline.Handler, error) {
	if s == message.StageFailures && p.failed == nil {
		return nil, nil
	}
	return p, nil
}

func (p plugin) Callbacks() pipeline.Callbacks {
	return pipeline.Callbacks{HandleFailed: p.failed != nil}
}

func (p plugin) HandleMessage(m *message.Message) message.Patch {
	if p.message == nil {
		return message.Patch{}
	}
	return p.message(m)
}

func (p plugin) HandleBatch(b *message.Batch) message.BatchResult {
	return message.BatchResult{Outcomes: make([]message.Outcome, len(b.Messages)), Records: make([]message.Record, 1)}
}

func (p plugin) HandleFailed(f []message.Failure) ([]message.OnFailure, message.Outcome) {
	return p.failed(f)
}

func (plugin) PrepareMessages(m []*message.Message) []message.Patch {
	return make([]message.Patch, len(m))
}
func (plugin) Interrupt()                  {}
func (plugin) Close(context.Context) error { return nil }

// sink runs a function at each delivery, if there is one.
type sink func() error

func (s sink) Deliver(context.Context, *message.Batch, []message.Record) error {
	if s == nil {
		return nil
	}
	return s()
}

// shape is a pipeline with one batcher.
func shape(s sink) pipeline.Config {
	return pipeline.Config{
		Name: "users", Shutdown: time.Minute,
		Producer:   pipeline.ProducerConfig{Concurrency: 2},
		Processors: pipeline.ProcessorsConfig{Concurrency: 2, MinDemand: 50, MaxDemand: 100},
		Batchers: []pipeline.BatcherConfig{
			{Name: "default", Concurrency: 2, BatchSize: 100, BatchTimeout: time.Second, Sink: s},
		},
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
