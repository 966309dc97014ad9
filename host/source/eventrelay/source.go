// Package eventrelay reads events from an EventRelay server. Start with [New] for
// a destination's queue, with [NewLog] for a topic's log: a [Source] and a
// [LogSource] are each a pipeline.Source. [ReadLog] reads a stretch of a log.
//
// # Queue: at most once
//
// The server locks what a pull returns for ever, and whatever interrupts a pull
// loses its events. So a pull has no deadline unless [Options.PullTimeout] sets
// one, stop lets a pull in flight finish, and only the cancellation of the
// context abandons it. What one of several concurrent pulls brought is returned
// whatever became of the others, and so is what can be read of a broken answer.
//
// [Options.Reconcile] finds what was lost nonetheless: events of the topic's log
// that no pull brought and the queue does not have any more. It looks above
// [Options.ReconcileStart] at the first run, and as far back as [Lookback] says.
// [Source.Unlock] gives events back where the server can.
//
// # Log: at least once
//
// The log is read by offset, page by page, and nothing is locked. An event can
// appear below the cursor: it was committed after later ones, or its available_at
// was to come. So the ids of what was seen are remembered for as long as
// [Lookback] says, and the log's counts are compared with them at every poll; an
// event that comes later than that, or is due later, is not found. What was seen,
// settled and needs no more looking back is below the floor, which the [Memory]
// keeps: the next run reads from there and leaves out what it remembers. Of a
// topic's [Shard] only its own events are handed out.
//
// The server ignores a query that it cannot parse. That is found out by asking
// for what cannot be, before any event is handed out, and is [ErrQueryIgnored].
//
// # Pace
//
// A pull asks for what is wanted, at most 1000 events a request. Once an answer
// of the queue came back full, up to four requests run at once: a quarter to a
// half more events a second from the real server. After an empty answer it waits
// for the pull interval. After an error it waits from 100 ms, doubling up to
// about the pull interval, with jitter, and tries again for ever: a wrong token
// may be put right on the server.
//
// # What is logged
//
// One warning with the probable cause when trouble begins, when its cause
// changes and once a minute; one line when it is over.
package eventrelay

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/relayhost/relayhost/host/message"
)

// DefaultPullInterval is EventRelay's producer's own.
const DefaultPullInterval = 5 * time.Second

// Options say what to pull, and how often.
type Options struct {
	// DestinationID is the destination's UUID.
	DestinationID string
	// PullInterval is the wait after an empty answer. Defaults to 5 s.
	PullInterval time.Duration
	// PullTimeout is the deadline of a pull: a pull that it cuts off loses its
	// events. Defaults to 0, none.
	PullTimeout time.Duration
	// Reconcile looks for events that the server has locked and not delivered,
	// at the start, every ReconcileInterval, which defaults to a minute, and after
	// each pull that failed. No other host may pull the destination: what it gets
	// would be taken for lost.
	Reconcile         bool
	ReconcileInterval time.Duration
	// ReconcileStart is where the first run begins to look: the latest event unless
	// nobody has pulled the destination before, since what was delivered then would
	// be taken for lost.
	ReconcileStart Start
	// Topic is the destination's, and Query the destination's own: exactly which
	// of the topic's events are in its queue. For Reconcile only, as are Lookback
	// and Memory.
	Topic, Query string
	Lookback     Lookback
	Memory       Memory
	// Unlock asks the server whether it can unlock events.
	Unlock bool
	// Logger is told of trouble with the server. Defaults to slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.PullInterval <= 0 {
		o.PullInterval = DefaultPullInterval
	}
	o.ReconcileInterval = cmp.Or(max(o.ReconcileInterval, 0), DefaultReconcileInterval)
	o.Lookback = o.Lookback.withDefaults()
	if o.Memory == nil {
		o.Memory = amnesia{}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Logger = o.Logger.With("destination_id", o.DestinationID)
	return o
}

// Source pulls one destination. It starts nothing that outlives a call of
// Pull, and does not close the connection.
type Source struct {
	conn    grpc.ClientConnInterface
	options Options
	trouble *trouble
	surplus surplus
	// full says that the last answer had all that was asked for, so that there
	// is more to pull.
	full atomic.Bool
	// lost is nil without Options.Reconcile.
	lost      *reconciler
	unlocking unlocking
}

// New makes a source of a destination's queue. Whoever made conn set its limit
// for the size of a reply; a reply above it is lost.
func New(conn grpc.ClientConnInterface, options Options) *Source {
	o := options.withDefaults()
	if o.PullTimeout > 0 {
		o.Logger.Warn("a pull that pull_timeout cuts off loses its events",
			"pull_timeout", o.PullTimeout, "hint", "leave pull_timeout out")
	}
	s := &Source{conn: conn, options: o, trouble: newTrouble(o.Logger, o.PullInterval)}
	if o.Reconcile {
		s.lost = newReconciler(conn, o)
	}
	return s
}

// Pull blocks until it has between 1 and n messages and returns them, in the
// order of their offsets as far as the server keeps it. When stop is closed it
// returns what the requests in flight bring, or nothing; when ctx is cancelled,
// what has come, or ctx's error. Another error, which only a source with
// Options.Reconcile has, is for good: the server ignores the query, or the memory
// fails. It may be called by several goroutines at once, which get disjoint
// messages.
func (s *Source) Pull(ctx context.Context, stop <-chan struct{}, n int) ([]*message.Message, error) {
	if n < 1 {
		return nil, ctx.Err()
	}
	messages, err := s.surplus.take(n)
	if err != nil {
		s.trouble.note(err)
	}
	if len(messages) > 0 {
		return messages, nil
	}
	for wait(ctx, stop, s.trouble.pause()) {
		messages, err = s.turn(ctx, stop, n)
		if forGood(err) {
			return nil, err
		}
		if ctx.Err() == nil {
			s.trouble.note(err)
		}
		if len(messages) > 0 {
			return messages, nil
		}
		if err == nil && !s.urgent() && !wait(ctx, stop, s.options.PullInterval) {
			break
		}
	}
	return nil, ctx.Err()
}

// turn asks the server once, and hands out what is lost to the queue first.
func (s *Source) turn(ctx context.Context, stop <-chan struct{}, n int) ([]*message.Message, error) {
	if s.lost != nil {
		if err := s.lost.begin(ctx); err != nil {
			return nil, err
		}
		if err := s.lost.look(ctx, stop); err != nil {
			return nil, err
		}
		if messages := s.lost.take(n); len(messages) > 0 {
			return messages, nil
		}
	}
	s.detect(ctx)
	messages, err := s.request(ctx, n)
	if err == nil {
		s.detected()
	}
	if len(messages) == 0 && s.lost != nil {
		messages = s.lost.take(n)
	}
	return messages, err
}

func (s *Source) urgent() bool { return s.lost != nil && s.lost.urgent() }

// forGood reports whether an error ends the source.
func forGood(err error) bool { return errors.Is(err, ErrQueryIgnored) || errors.Is(err, errMemory) }

// Settle tells the server nothing: it keeps its lock for ever, whatever becomes
// of an event.
func (s *Source) Settle(messages []*message.Message) {
	if s.lost != nil {
		s.lost.settle(messages)
	}
}

// wait reports whether d passed before stop was closed or ctx cancelled.
func wait(ctx context.Context, stop <-chan struct{}, d time.Duration) bool {
	select {
	case <-stop:
		return false
	case <-ctx.Done():
		return false
	default:
	}
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stop:
		return false
	case <-ctx.Done():
		return false
	}
}
