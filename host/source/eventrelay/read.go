package eventrelay

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/host/message"
)

// LogRange is a stretch of a topic's log.
type LogRange struct {
	// Topic is "name" or "name:identifier".
	Topic string
	// Query chooses among the events, in the server's language; all if empty.
	Query string
	// From and To are the first and the last offset. To 0 is the last one that
	// there is when reading begins.
	From, To int64
	// Since and Until, where they are set, leave out what occurred before Since,
	// and what occurred at Until or later. When an event occurred is the
	// publisher's word, in whole seconds; offsets do not follow it.
	Since, Until time.Time
}

// How often ReadLog tries before it gives up.
const readTries = 6

// ReadLog reads a stretch of a topic's log in the order of offsets. It
// acknowledges nothing and ends at the stretch's end. An error is the last that
// it yields; what may pass it tries again a few times.
func ReadLog(ctx context.Context, conn grpc.ClientConnInterface, r LogRange) iter.Seq2[*message.Message, error] {
	return func(yield func(*message.Message, error) bool) {
		h := &history{conn: conn, topic: r.Topic, query: r.query(), timeout: DefaultLogTimeout}
		if err := h.read(ctx, r, yield); err != nil {
			yield(nil, err)
		}
	}
}

// query joins the query with the times.
func (r *LogRange) query() string {
	h := history{query: r.Query}
	if !r.Since.IsZero() {
		h.query = h.chosen("occurred_at >= " + quoteTime(r.Since))
	}
	if !r.Until.IsZero() {
		// The server cuts times to seconds: one of 1.0 s may have been before 1.5 s.
		h.query = h.chosen("occurred_at < " + quoteTime(r.Until.Add(time.Second-1)))
	}
	return h.query
}

// quoteTime writes a time, cut to seconds, as the query language takes it.
func quoteTime(t time.Time) string { return "'" + t.UTC().Format("2006-01-02T15:04:05Z") + "'" }

func (h *history) read(ctx context.Context, r LogRange, yield func(*message.Message, error) bool) error {
	if _, err := h.tried(ctx, func() (page, error) { return page{}, h.probe(ctx) }); err != nil {
		return err
	}
	s, size := stretch{above: max(r.From, 1) - 1, upTo: r.To}, maxPage
	if s.upTo < 0 || s.upTo > 0 && s.upTo <= s.above {
		return nil
	}
	for {
		p, err := h.tried(ctx, func() (p page, err error) { return h.fitting(ctx, s, maxPage, &size) })
		if err != nil {
			return err
		}
		for _, m := range p.messages {
			if !yield(m, nil) {
				return nil
			}
			s.above = m.Position
		}
		if len(p.messages) == 0 || p.total <= int64(len(p.messages)) || s.above == s.upTo {
			return nil
		}
		if s.upTo == 0 {
			end, err := h.tried(ctx, func() (p page, err error) {
				p.total, err = h.last(ctx, s)
				return p, err
			})
			if err != nil {
				return err
			}
			s.upTo = end.total
		}
	}
}

// fitting asks for a page of up to n events, and for smaller ones while the page
// is larger than the connection takes, which size remembers.
func (h *history) fitting(ctx context.Context, s stretch, n int, size *int) (page, error) {
	for {
		asked := min(n, *size)
		p, err := h.page(ctx, s, asked)
		switch {
		case err == nil && asked == *size:
			*size = min(*size+*size/8+1, maxPage)
			return p, nil
		case err == nil || !tooLarge(err) || asked == 1:
			return p, err
		}
		*size = asked / 2
	}
}

// tried asks again while the error may pass, a few times, and explains the last.
func (h *history) tried(ctx context.Context, ask func() (page, error)) (page, error) {
	p, err := backoff.Retry(ctx, func() (page, error) {
		p, err := ask()
		if err != nil && (refused(err) || ctx.Err() != nil) {
			err = backoff.Permanent(err)
		}
		return p, err
	}, backoff.WithMaxTries(readTries), backoff.WithBackOff(&backoff.ExponentialBackOff{
		InitialInterval: firstPause, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: minLastPause,
	}))
	return p, h.explain(ctx, last(err))
}

// last is what was tried last ended with.
func last(err error) error {
	if permanent, ok := errors.AsType[*backoff.PermanentError](err); ok {
		return permanent.Err
	}
	return err
}

// explain says what is wrong with reading the log.
func (h *history) explain(ctx context.Context, err error) error {
	switch {
	case err == nil || errors.Is(err, ErrQueryIgnored):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case h.queryFails(ctx, err):
		return fmt.Errorf("topic %q: the server fails at the query: %s (%s)\nhint: %s", h.topic, h.query, eventrelay.Detail(err), fieldHint)
	}
	return fmt.Errorf("read the log of topic %q: %w", h.topic, eventrelay.Explain(err))
}

// fieldHint is for a query that parses and yet fails.
const fieldHint = "does it name a field that events have, and compare it with a value of its kind? " +
	"There are name, source, group_key, reference_key, trace_key, user_key, anonymous_key, occurred_at, available_at, offset, id, context.KEY and data.KEY"

// queryFails reports whether an error inside the server comes of the query:
// without it, the server answers.
func (h *history) queryFails(ctx context.Context, err error) bool {
	if h.query == "" || status.Code(err) != codes.Unknown {
		return false
	}
	_, err = h.rows(ctx, "", 0, 1)
	return err == nil
}
