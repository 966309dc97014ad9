package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
)

// source is fed by the test. Ids are numbers; Event is the number's text.
type source struct {
	mu      sync.Mutex
	waiting []*message.Message
	ended   error
	changed chan struct{}
	acks    [][]string // one item a call to Settle: "1" or "2:handler"
	count   int
	took    time.Duration // of each pull, which nothing interrupts
	asked   []int
}

func newSource() *source { return &source{changed: make(chan struct{}, 1)} }

func (s *source) push(numbers ...int) {
	s.mu.Lock()
	for _, n := range numbers {
		id := strconv.Itoa(n)
		s.waiting = append(s.waiting, &message.Message{ID: id, Event: []byte(id)})
	}
	s.mu.Unlock()
	s.signal()
}

// end makes Pull return err once everything is pulled.
func (s *source) end(err error) {
	s.mu.Lock()
	s.ended = err
	s.mu.Unlock()
	s.signal()
}

func (s *source) signal() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *source) Pull(ctx context.Context, stop <-chan struct{}, n int) ([]*message.Message, error) {
	s.mu.Lock()
	s.asked = append(s.asked, n)
	s.mu.Unlock()
	time.Sleep(s.took)
	for {
		s.mu.Lock()
		if k := min(n, len(s.waiting)); k > 0 {
			messages := s.waiting[:k:k]
			s.waiting = s.waiting[k:]
			s.count += k
			s.mu.Unlock()
			s.signal()
			return messages, nil
		}
		ended := s.ended
		s.mu.Unlock()
		if ended != nil {
			s.signal()
			return nil, ended
		}
		select {
		case <-s.changed:
		case <-stop:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *source) Settle(messages []*message.Message) {
	call := make([]string, len(messages))
	for i, m := range messages {
		call[i] = m.ID
		if o := m.Outcome(); !o.OK() {
			call[i] += ":" + o.Kind.String()
		}
	}
	s.mu.Lock()
	s.acks = append(s.acks, call)
	s.mu.Unlock()
}

func (s *source) pulled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// requests is what each pull asked for.
func (s *source) requests() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *source) acked() [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]string(nil), s.acks...)
}

// plugin runs Go functions in place of guests.
type plugin struct {
	message func(*message.Message) message.Patch
	batch   func(*message.Batch) message.BatchResult
	prepare func([]*message.Message) []message.Patch
	failed  func([]message.Failure) ([]message.OnFailure, message.Outcome)
	refuse  func(n int) error

	mu           sync.Mutex
	made, closed int
}

func (p *plugin) NewHandler(_ context.Context, s message.Stage) (pipeline.Handler, error) {
	if s == message.StageFailures && p.failed == nil {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse != nil {
		if err := p.refuse(p.made); err != nil {
			return nil, err
		}
	}
	p.made++
	return handler{p}, nil
}

func (p *plugin) Callbacks() pipeline.Callbacks {
	return pipeline.Callbacks{PrepareMessages: p.prepare != nil, HandleFailed: p.failed != nil}
}

type handler struct{ plugin *plugin }

func (h handler) PrepareMessages(messages []*message.Message) []message.Patch {
	return h.plugin.prepare(messages)
}

func (h handler) HandleFailed(failures []message.Failure) ([]message.OnFailure, message.Outcome) {
	return h.plugin.failed(failures)
}

func (h handler) HandleMessage(m *message.Message) message.Patch {
	if h.plugin.message == nil {
		return message.Patch{}
	}
	return h.plugin.message(m)
}

func (h handler) HandleBatch(b *message.Batch) message.BatchResult {
	if h.plugin.batch == nil {
		return echo(b)
	}
	return h.plugin.batch(b)
}

func (h handler) Interrupt() {}

func (h handler) Close(context.Context) error {
	h.plugin.mu.Lock()
	h.plugin.closed++
	h.plugin.mu.Unlock()
	return nil
}

// echo emits each message's id as a record.
func echo(b *message.Batch) message.BatchResult {
	r := message.BatchResult{Outcomes: make([]message.Outcome, len(b.Messages))}
	for _, m := range b.Messages {
		r.Records = append(r.Records, message.Record{Data: []byte(m.ID)})
	}
	return r
}

// sink keeps batches as "batcher/key trigger [ids]".
type sink struct {
	mu      sync.Mutex
	batches []string
	fail    func(*message.Batch) error
}

func (s *sink) Deliver(_ context.Context, b *message.Batch, records []message.Record) error {
	if s.fail != nil {
		if err := s.fail(b); err != nil {
			return err
		}
	}
	ids := []string{}
	for _, r := range records {
		ids = append(ids, string(r.Data))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, fmt.Sprintf("%s/%s %s %v", b.Batcher, b.Key, b.Trigger, ids))
	return nil
}

func (s *sink) delivered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.batches...)
}

// shape is a pipeline with one processor, d(min,max), and batchers.
func shape(minDemand, maxDemand int, batchers ...pipeline.BatcherConfig) pipeline.Config {
	return pipeline.Config{
		Name: "test", Shutdown: 30 * time.Second,
		Producer:   pipeline.ProducerConfig{Concurrency: 1},
		Processors: pipeline.ProcessorsConfig{Concurrency: 1, MinDemand: minDemand, MaxDemand: maxDemand},
		Batchers:   batchers,
	}
}

func batcher(name string, size int, s pipeline.Sink) pipeline.BatcherConfig {
	return pipeline.BatcherConfig{Name: name, Concurrency: 1, BatchSize: size, BatchTimeout: time.Second, Sink: s}
}

// running is a pipeline that runs in the test's bubble.
type running struct {
	*pipeline.Pipeline
	t      *testing.T
	cancel context.CancelFunc
	done   chan error
}

func start(t *testing.T, c pipeline.Config, s *source, p *plugin) *running {
	t.Helper()
	pl, err := pipeline.New(c, s, p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{Pipeline: pl, t: t, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- pl.Run(ctx) }()
	synctest.Wait()
	return r
}

// drain ends the pipeline and checks that everything settled and every handler
// was closed.
func (r *running) drain(p *plugin) {
	r.t.Helper()
	r.cancel()
	if err := <-r.done; err != nil {
		r.t.Fatalf("run: %v", err)
	}
	r.balanced(0)
	if p.made != p.closed {
		r.t.Errorf("made %d handlers, closed %d", p.made, p.closed)
	}
}

func (r *running) balanced(inFlight int64) {
	r.t.Helper()
	b := r.Books()
	if b.Received != b.InFlight+b.SettledTotal() || b.InFlight != inFlight {
		r.t.Errorf("the books do not balance at %d in flight: %+v", inFlight, b)
	}
}

// numbers is first to last.
func numbers(first, last int) (out []int) {
	for n := first; n <= last; n++ {
		out = append(out, n)
	}
	return out
}

// number is a message's number.
func number(m *message.Message) int {
	n, _ := strconv.Atoi(string(m.Event))
	return n
}

// failing fails the messages with these numbers, as the plugin or by a trap.
func failing(kind message.Kind, failed ...int) func(*message.Message) message.Patch {
	return func(m *message.Message) (p message.Patch) {
		for _, n := range failed {
			if number(m) == n {
				p.Outcome = message.Failed(kind, "on purpose")
			}
		}
		return p
	}
}

// route sends each message to what name says.
func route(name func(n int) string) func(*message.Message) message.Patch {
	return func(m *message.Message) message.Patch {
		return message.Patch{SetBatcher: true, Batcher: name(number(m))}
	}
}

func parity(n int) string { return [...]string{"even", "odd"}[n%2] }

var errBroken = errors.New("broken on purpose")
