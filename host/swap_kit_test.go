package host_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
)

// tagged is version n of the guest that tags what it puts out.
func tagged(t testing.TB, n int) []byte {
	t.Helper()
	file, err := os.ReadFile("plugin/testdata/tagger.wasm")
	if err != nil {
		t.Fatal(err)
	}
	placeholder := []byte("version0")
	if bytes.Count(file, placeholder) != 1 {
		t.Fatal("tagger.wasm has no place for the tag")
	}
	return bytes.Replace(file, placeholder, binary.BigEndian.AppendUint64(nil, uint64(n)), 1) //nolint:gosec // small
}

// tag is the version in what a guest put out, -1 for none.
func tag(output []byte) int {
	if len(output) < 8 {
		return -1
	}
	return int(binary.BigEndian.Uint64(output)) //nolint:gosec // as tagged wrote it
}

// stream is an endless source: the events of partition p are "p:0", "p:1", … in
// turn. It counts how often each has settled.
type stream struct {
	partitions int
	event      func(id string) []byte // the id itself by default

	mu       sync.Mutex
	pulled   int
	settled  int
	failures []string
	paused   bool
	resume   chan struct{}
}

func newStream(partitions int) *stream {
	return &stream{
		partitions: partitions, resume: make(chan struct{}),
		event: func(id string) []byte { return []byte(id) },
	}
}

func (s *stream) Pull(ctx context.Context, stop <-chan struct{}, n int) ([]*message.Message, error) {
	for {
		s.mu.Lock()
		paused, resume := s.paused, s.resume
		if !paused {
			defer s.mu.Unlock()
			return s.next(n), nil
		}
		s.mu.Unlock()
		select {
		case <-resume:
		case <-stop:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *stream) next(n int) []*message.Message {
	messages := make([]*message.Message, n)
	for i := range messages {
		id := fmt.Sprintf("%d:%d", s.pulled%s.partitions, s.pulled/s.partitions)
		messages[i] = &message.Message{ID: id, Event: s.event(id)}
		s.pulled++
	}
	return messages
}

func (s *stream) Settle(messages []*message.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settled += len(messages)
	for _, m := range messages {
		if o := m.Outcome(); !o.OK() && len(s.failures) < 5 {
			s.failures = append(s.failures, m.ID+": "+o.Reason)
		}
	}
}

func (s *stream) count() (pulled, settled int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pulled, s.settled
}

// pause waits until all that was pulled has settled.
func (s *stream) pause(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	s.paused = true
	s.mu.Unlock()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		if pulled, settled := s.count(); pulled == settled {
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatal("what was pulled does not settle")
		}
	}
}

func (s *stream) unpause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = false
	close(s.resume)
	s.resume = make(chan struct{})
}

// partitionOf is the part of an id before the colon; its number is the one after.
func partitionOf(m *message.Message) string { return part(m.ID, 0) }

func part(id string, i int) string { return strings.Split(id, ":")[i] }

// complaints are what went wrong, the first few.
type complaints struct {
	mu   sync.Mutex
	said []string
}

func (c *complaints) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.said) < 10 {
		c.said = append(c.said, fmt.Sprintf(format, args...))
	}
}

// ordered is a sink that wants each event of a partition once and in its order,
// and each handled by one version in both handlers.
type ordered struct {
	*complaints
	mu   sync.Mutex
	next map[string]int
}

func (s *ordered) Deliver(_ context.Context, _ *message.Batch, records []message.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		frame, err := abi.ParseBatch(r.Data[8:])
		if err != nil {
			return err
		}
		for _, m := range frame.Messages {
			s.take(tag(r.Data), m)
		}
	}
	return nil
}

func (s *ordered) take(version int, m abi.Message) {
	if by := tag(m.Data); by != version {
		s.add("%s was handled by version %d, and its batch by %d", m.Event, by, version)
	}
	p, n := part(string(m.Event), 0), part(string(m.Event), 1)
	if want := strconv.Itoa(s.next[p]); n != want {
		s.add("%s came where %s:%s should have", m.Event, p, want)
	}
	s.next[p]++
}

// posts are a deployment's seats as a pipeline's handlers, watched.
type posts struct {
	*plugin.Deployment
	watch func(*plugin.Seat) pipeline.Handler
}

func (p posts) NewHandler(ctx context.Context, stage message.Stage) (pipeline.Handler, error) {
	seat, err := p.Sit(ctx, stage)
	if err != nil {
		return nil, err
	}
	return p.watch(seat), nil
}

func (p posts) Callbacks() pipeline.Callbacks {
	return pipeline.Callbacks{PrepareMessages: p.Prepares(), HandleFailed: p.Fails()}
}

// watched is a seat whose version never goes back.
type watched struct {
	*plugin.Seat
	*complaints
	version int
}

func (w *watched) HandleMessage(m *message.Message) message.Patch {
	p := w.Seat.HandleMessage(m)
	version := tag(p.Data)
	if version < w.version {
		w.add("version %d handled %s after %d", version, m.ID, w.version)
	}
	w.version = version
	return p
}

// flow is a pipeline under load, with a deployment.
type flow struct {
	*plugin.Deployment
	*complaints
	t        testing.TB
	engine   *plugin.Engine
	pipeline *pipeline.Pipeline
	source   *stream
	sink     *ordered
	settings plugin.Settings
	cancel   context.CancelFunc
	done     chan error
	log      *buffer
}

func (f *flow) settled() int {
	_, n := f.source.count()
	return n
}

const flowBatch = 50

func flowShape(sink pipeline.Sink) pipeline.Config {
	by := &pipeline.Partition{Field: "the event's", Value: partitionOf}
	return pipeline.Config{
		Name: "swaps", Shutdown: time.Minute,
		Producer:   pipeline.ProducerConfig{Concurrency: 1},
		Processors: pipeline.ProcessorsConfig{Concurrency: 2, MinDemand: 10, MaxDemand: 20, PartitionBy: by},
		Batchers: []pipeline.BatcherConfig{{
			Name: message.DefaultBatcher, Concurrency: 2, BatchSize: flowBatch, BatchTimeout: 5 * time.Millisecond,
			PartitionBy: by, Sink: sink,
		}},
	}
}

// newFlow runs a pipeline with version 0.
func newFlow(t testing.TB, o plugin.Options) *flow {
	t.Helper()
	f := &flow{t: t, source: newStream(40), complaints: &complaints{}}
	f.sink = &ordered{complaints: f.complaints, next: make(map[string]int)}
	f.run(o, tagged(t, 0), f.sink, func(s *plugin.Seat) pipeline.Handler {
		return &watched{Seat: s, complaints: f.complaints}
	})
	return f
}

// run runs the pipeline.
func (f *flow) run(o plugin.Options, file []byte, sink pipeline.Sink, watch func(*plugin.Seat) pipeline.Handler) {
	t := f.t
	t.Helper()
	f.log, f.done, f.settings = newBuffer(), make(chan error, 1), plugin.Settings{Pipeline: "swaps", NeedBatch: true}
	o.Logger = slog.New(slog.NewTextHandler(f.log, nil))
	engine, err := plugin.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	f.engine = engine
	live, err := f.load(file)
	if err != nil {
		t.Fatal(err)
	}
	f.Deployment = plugin.Deploy(live, plugin.DeployOptions{
		Flush: func(ctx context.Context) error { return f.pipeline.Flush(ctx) }, Logger: o.Logger,
	})
	f.pipeline, err = pipeline.New(flowShape(sink), f.source, posts{f.Deployment, watch})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f.cancel = cancel
	go func() { f.done <- f.pipeline.Run(ctx) }()
}

func (f *flow) load(file []byte) (*plugin.Plugin, error) {
	return f.engine.Load(f.t.Context(), "tagger.wasm", file, f.settings)
}

// swap loads a file and makes it the live version. With an error nothing is left
// of it.
func (f *flow) swap(file []byte) error {
	next, err := f.load(file)
	if err != nil {
		return err
	}
	if err := f.Switch(f.t.Context(), next, func(string) {}); err != nil {
		return errors.Join(err, next.Close(f.t.Context()))
	}
	return nil
}

// end drains the pipeline, closes everything, and says what went wrong.
func (f *flow) end() {
	f.t.Helper()
	f.cancel()
	ctx := context.WithoutCancel(f.t.Context())
	if err := errors.Join(<-f.done, f.Close(ctx), f.engine.Close(ctx)); err != nil {
		f.t.Error(err)
	}
	for _, said := range f.source.failures {
		f.t.Error(said)
	}
	if f.sink != nil {
		f.check()
	}
}

func (f *flow) check() {
	f.t.Helper()
	pulled, settled := f.source.count()
	books, delivered := f.pipeline.Books(), 0
	for _, n := range f.sink.next {
		delivered += n
	}
	if int64(pulled) != books.Received || settled != pulled || delivered != pulled || books.InFlight != 0 || books.SettledTotal() != books.Received {
		f.t.Errorf("pulled %d, settled %d, delivered %d; the books: %+v", pulled, settled, delivered, books)
	}
	for _, said := range f.said {
		f.t.Error(said)
	}
}
