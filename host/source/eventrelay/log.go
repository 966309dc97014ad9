package eventrelay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/host/message"
)

// LogOptions say which log to read, and how.
type LogOptions struct {
	// Topic is "name" or "name:identifier".
	Topic string
	// Query chooses among the events, in the server's language; all if empty.
	Query string
	// Start is where to begin when there is no floor yet.
	Start Start
	// Shard is the part that is read; ShardBy gives an event's value for it, and
	// events with equal values are in one shard.
	Shard    Shard
	ShardBy  func(*message.Message) string
	Lookback Lookback
	// PullInterval is the wait when there is nothing new, and between two looks
	// for events that came late. Defaults to 5 s.
	PullInterval time.Duration
	// PullTimeout is the deadline of one request. Defaults to a minute.
	PullTimeout time.Duration
	// Logger is told of trouble with the server. Defaults to slog.Default().
	Logger *slog.Logger
	// Memory is what is known of earlier runs; without one, each begins at Start.
	Memory Memory
}

// Start is where to begin to read a log: above the latest event, or at Offset or
// Time if they are not zero, or else at the first event. A time is that of the
// first event which occurred then or later; from that one on all are read, also
// those that occurred earlier.
type Start struct {
	Latest bool
	Offset int64
	Time   time.Time
}

// Lookback bounds how far below its cursor a source looks for events that came
// late. The first bound that is reached counts; what is zero has its default.
type Lookback struct {
	// Time is for how long after an event those below it are looked for: 10 min.
	Time time.Duration
	// Events is how many events are remembered for that: 100,000.
	Events int
	// Bytes is how much memory that may take: 32 MiB.
	Bytes int
}

func (l Lookback) withDefaults() Lookback {
	return Lookback{
		Time:   cmp.Or(max(l.Time, 0), 10*time.Minute),
		Events: cmp.Or(max(l.Events, 0), 100_000),
		Bytes:  cmp.Or(max(l.Bytes, 0), 32<<20),
	}
}

func (o LogOptions) withDefaults() LogOptions {
	o.PullInterval = cmp.Or(max(o.PullInterval, 0), DefaultPullInterval)
	o.PullTimeout = cmp.Or(max(o.PullTimeout, 0), DefaultLogTimeout)
	o.Lookback = o.Lookback.withDefaults()
	o.Logger = cmp.Or(o.Logger, slog.Default()).With("topic", o.Topic)
	if o.Memory == nil {
		o.Memory = amnesia{}
	}
	return o
}

// LogSource reads one topic's log. It starts nothing that outlives a call of
// Pull, and does not close the connection.
type LogSource struct {
	options LogOptions
	log     history
	trouble *trouble

	// reading is held by the one that asks the server.
	reading chan struct{}
	reader

	mu    sync.Mutex
	state state
}

// reader is what belongs to the one that asks the server.
type reader struct {
	begun bool
	// proven: the server was seen to understand the query.
	proven bool
	// pageSize is how many events fit into an answer.
	pageSize int
	// looked is when late events were last looked for.
	looked time.Time
	sweep  sweep
}

// state is what has been read.
type state struct {
	progress
	// cursor: up to it all was read once.
	cursor int64
	// ready is what is still to be handed out.
	ready []*message.Message
	lag   int64
	known bool
}

// NewLog makes a source of a topic's log.
func NewLog(conn grpc.ClientConnInterface, options LogOptions) *LogSource {
	o := options.withDefaults()
	t := newTrouble(o.Logger, o.PullInterval)
	t.diagnose = diagnoseLog
	return &LogSource{
		options: o,
		log:     history{conn: conn, topic: o.Topic, query: o.Query, timeout: o.PullTimeout},
		trouble: t,
		reading: make(chan struct{}, 1),
		reader:  reader{pageSize: maxPage},
		state:   state{progress: newProgress(o.Memory, o.Lookback, o.Logger)},
	}
}

// Pull blocks until it has between 1 and n messages and returns them, in the
// order of their offsets but for those that came late. When stop is closed it
// returns what the request in flight brings, or nothing; when ctx is cancelled,
// ctx's error. Another error is for good: that the server ignores the query, or
// that the memory fails. It may be called by several goroutines at once, which
// get disjoint messages.
func (s *LogSource) Pull(ctx context.Context, stop <-chan struct{}, n int) ([]*message.Message, error) {
	if n < 1 || !wait(ctx, stop, 0) {
		return nil, ctx.Err()
	}
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
		return s.read(ctx, stop, n)
	case <-stop:
		return nil, ctx.Err()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// read goes on until there is something to hand out.
func (s *LogSource) read(ctx context.Context, stop <-chan struct{}, n int) ([]*message.Message, error) {
	for {
		if messages := s.take(n); len(messages) > 0 {
			return messages, nil
		}
		if !wait(ctx, stop, s.trouble.pause()) {
			return nil, ctx.Err()
		}
		more, err := s.turn(ctx, stop, n)
		if forGood(err) {
			return nil, err
		}
		if ctx.Err() == nil {
			s.trouble.note(s.blame(ctx, err))
		}
		if err == nil && !more && s.waiting() == 0 && !wait(ctx, stop, s.options.PullInterval) {
			return nil, ctx.Err()
		}
	}
}

// take hands out up to n of what is ready.
func (s *LogSource) take(n int) []*message.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	ready := &s.state.ready
	n = min(n, len(*ready))
	messages := (*ready)[:n:n]
	if *ready = (*ready)[n:]; len(*ready) == 0 {
		*ready = nil
	}
	return messages
}

func (s *LogSource) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.state.ready)
}

// turn reads on by a page, and looks for what came late when it is time. It
// reports whether there is more to do at once.
func (s *LogSource) turn(ctx context.Context, stop <-chan struct{}, n int) (more bool, err error) {
	if err := s.begin(ctx); err != nil {
		return false, err
	}
	more, err = s.forward(ctx, n)
	if err != nil {
		return false, err
	}
	unfinished, err := s.lookBack(ctx, stop)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Never above the cursor: what an earlier run has seen there is still to come.
	s.state.raise(s.looked, s.state.cursor)
	return more || unfinished, nil
}

// begin finds where to begin.
func (s *LogSource) begin(ctx context.Context) error {
	if s.begun {
		return nil
	}
	p := newProgress(s.options.Memory, s.options.Lookback, s.options.Logger)
	err := p.begin(func() (int64, error) {
		if err := s.log.probe(ctx); err != nil {
			return 0, err
		}
		return s.log.start(ctx, s.options.Start)
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.progress, s.state.cursor = p, p.floor
	s.begun, s.sweep.done = true, time.Now()
	return nil
}

// start is the offset above which to begin.
func (h *history) start(ctx context.Context, at Start) (int64, error) {
	switch {
	case at.Offset > 0:
		return at.Offset - 1, nil
	case !at.Latest && at.Time.IsZero():
		return 0, nil
	}
	// First of all, so that nothing is passed over that comes meanwhile.
	last, err := h.last(ctx, stretch{})
	if err != nil || at.Latest {
		return last, err
	}
	since := *h
	since.query = h.chosen("occurred_at >= " + quoteTime(at.Time))
	first, err := since.page(ctx, stretch{}, 1)
	if err != nil || len(first.messages) == 0 {
		return last, err
	}
	return first.messages[0].Position - 1, nil
}

// forward reads the next page and reports whether there are more.
func (s *LogSource) forward(ctx context.Context, n int) (more bool, err error) {
	cursor := s.Cursor()
	p, err := s.page(ctx, stretch{above: cursor}, n*max(1, min(s.options.Shard.Count, maxPage)))
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.see(p.messages)
	if last := len(p.messages) - 1; last >= 0 {
		s.state.cursor = p.messages[last].Position
	}
	s.state.lag, s.state.known = p.total-int64(len(p.messages)), true
	return s.state.lag > 0 && len(p.messages) > 0, nil
}

// page reads up to n events of a stretch. Before the first ones count, the
// server must show that it understands the query.
func (s *LogSource) page(ctx context.Context, r stretch, n int) (page, error) {
	p, err := s.log.fitting(ctx, r, min(n, maxPage), &s.pageSize)
	if err != nil || s.proven || len(p.messages) == 0 {
		return p, err
	}
	if err := s.log.probe(ctx); err != nil {
		return page{}, err
	}
	s.proven = true
	return p, nil
}

// see takes up those of the events that were not seen before and are in the
// shard. The state is locked.
func (s *LogSource) see(messages []*message.Message) {
	for _, m := range s.state.window.add(messages, time.Now()) {
		if s.options.wanted(m) {
			s.state.bring(m)
			s.state.ready = append(s.state.ready, m)
		}
	}
}

// Settle lets the floor pass the messages.
func (s *LogSource) Settle(messages []*message.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.settle(messages)
}

// Lag is how many events wait above the cursor, those of other shards among
// them, as the last answer had it.
func (s *LogSource) Lag() (events int64, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.lag, s.state.known
}

// Cursor is the offset up to which the log was read.
func (s *LogSource) Cursor() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.cursor
}

// Floor is the offset up to which everything is done with, where the next run
// begins.
func (s *LogSource) Floor() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.floor
}

// errQueryFails is a query that the server understands and cannot answer.
var errQueryFails = errors.New("the server fails at the query")

// blame finds out whether the query is why the server fails.
func (s *LogSource) blame(ctx context.Context, err error) error {
	if s.log.queryFails(ctx, err) {
		return fmt.Errorf("%w: %w", errQueryFails, err)
	}
	return err
}

func diagnoseLog(err error) eventrelay.Diagnosis {
	switch {
	case errors.Is(err, errQueryFails):
		return eventrelay.Diagnosis{Cause: errQueryFails.Error(), Hint: fieldHint}
	case errors.Is(err, errReply):
		return diagnose(err)
	case status.Code(err) == codes.DeadlineExceeded:
		return eventrelay.Diagnosis{Cause: "the server did not answer in time", Hint: "if it lasts, set a longer pull_timeout"}
	}
	return eventrelay.Diagnose(err)
}
