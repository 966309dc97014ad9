package eventrelay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/relayhost/relayhost/host/message"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// maxPage is the most that the server gives in a page: it takes a larger wish
// for one of 100.
const maxPage = 1000

// DefaultLogTimeout is how long a page of a log may take: one that is cut off
// can be asked for again.
const DefaultLogTimeout = time.Minute

// queryHint says what the server's query language has: what it cannot parse it
// ignores.
const queryHint = "a query compares fields by ==, !=, >, >=, <, <= or in ['a', 'b'], with text in single quotes, joined by and, or and parentheses"

// ErrQueryIgnored is a query that the server does not understand: it answers
// with everything, and says nothing.
var ErrQueryIgnored = errors.New("the server ignores the query and returns everything")

// history is the log of a topic, or what of it a query chooses.
type history struct {
	conn    grpc.ClientConnInterface
	topic   string
	query   string
	timeout time.Duration
}

// stretch is the offsets above one and up to another, or without an end if that
// is 0.
type stretch struct{ above, upTo int64 }

// filter is a query for the events of a stretch. It uses no operators but those
// that the server was seen to have.
func (h *history) filter(s stretch) string {
	filter := "offset > " + strconv.FormatInt(s.above, 10)
	if s.upTo > 0 && s.upTo < math.MaxInt32 {
		filter += " and offset < " + strconv.FormatInt(s.upTo+1, 10)
	}
	return h.chosen(filter)
}

func (h *history) chosen(filter string) string {
	if h.query == "" {
		return filter
	}
	return "(" + h.query + ") and " + filter
}

// page is one answer: events in the order of their offsets, and how many there
// are in the stretch.
type page struct {
	messages []*message.Message
	total    int64
}

// page asks once for the first n events of a stretch. A page of which something
// cannot be read is an error: it can be asked for again.
func (h *history) page(ctx context.Context, s stretch, n int) (page, error) {
	p, err := h.rows(ctx, h.filter(s), 0, n)
	if err != nil {
		return page{}, err
	}
	for _, m := range p.messages {
		if m.Position <= s.above || s.upTo > 0 && m.Position > s.upTo {
			return page{}, h.ignored()
		}
	}
	sortByPosition(p.messages)
	return p, nil
}

func sortByPosition(messages []*message.Message) {
	slices.SortStableFunc(messages, func(a, b *message.Message) int { return cmp.Compare(a.Position, b.Position) })
}

func (h *history) ignored() error {
	return fmt.Errorf("topic %q: %w: %s\nhint: %s", h.topic, ErrQueryIgnored, h.query, queryHint)
}

// rows asks once for n of the rows that a query chooses, from a place on.
func (h *history) rows(ctx context.Context, query string, from int64, n int) (page, error) {
	if h.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, h.timeout)
		defer cancel()
	}
	request := &pb.PullEventsRequest{
		Topic: h.topic, Query: query,
		BatchSize: int32(min(n, maxPage)),          //nolint:gosec // at most maxPage
		Offset:    int32(min(from, math.MaxInt32)), //nolint:gosec // at most MaxInt32
	}
	var reply []byte
	err := h.conn.Invoke(ctx, pb.Events_PullEvents_FullMethodName, request, &reply, grpc.ForceCodecV2(rawReply{}))
	if err != nil {
		return page{}, err
	}
	return decodePage(reply, n)
}

// decodePage reads a PullEventsResponse. More than n events are not read: they
// come again. The messages alias raw.
func decodePage(raw []byte, n int) (page, error) {
	messages, _, err := decode(raw, n)
	if err != nil {
		return page{}, err
	}
	total, err := totalCount(raw)
	if err != nil {
		return page{}, err
	}
	return page{messages: messages, total: max(total, int64(len(messages)))}, nil
}

// totalCount finds field 2; the last one counts, as ever in protobuf.
func totalCount(raw []byte) (total int64, err error) {
	for len(raw) > 0 {
		number, wire, size := protowire.ConsumeField(raw)
		if size < 0 {
			return 0, fmt.Errorf("%w: %w", errReply, protowire.ParseError(size))
		}
		if number == 2 && wire == protowire.VarintType {
			_, _, tag := protowire.ConsumeTag(raw)
			v, _ := protowire.ConsumeVarint(raw[tag:])
			total = int64(int32(v)) //nolint:gosec // as protobuf reads an int32
		}
		raw = raw[size:]
	}
	return total, nil
}

// probe asks for events that cannot be: a server that returns some has ignored
// the query.
func (h *history) probe(ctx context.Context) error {
	if h.query == "" {
		return nil
	}
	p, err := h.rows(ctx, h.chosen("offset < 0"), 0, 1)
	if err != nil {
		return err
	}
	if p.total > 0 {
		return h.ignored()
	}
	return nil
}

// last is the highest offset of a stretch, or what it is above if it is empty.
func (h *history) last(ctx context.Context, s stretch) (int64, error) {
	p, err := h.page(ctx, s, 1)
	// Rows can vanish between two requests.
	for err == nil && p.total > 0 {
		var row page
		if row, err = h.rows(ctx, h.filter(s), p.total-1, 1); err == nil && len(row.messages) > 0 {
			return row.messages[0].Position, nil
		}
		p.total = min(row.total, p.total-1)
	}
	return s.above, err
}

// refused reports whether an error is the server's last word. What it fails at
// inside may pass.
func refused(err error) bool {
	if errors.Is(err, ErrQueryIgnored) {
		return true
	}
	switch status.Code(err) {
	case codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented, codes.InvalidArgument, codes.NotFound:
		return true
	}
	return false
}

// tooLarge reports whether a page was larger than the connection takes.
func tooLarge(err error) bool {
	return status.Code(err) == codes.ResourceExhausted && strings.Contains(status.Convert(err).Message(), "larger than max")
}
