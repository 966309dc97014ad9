package eventrelay_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/host/message"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// topic is a server with one topic, for a synctest bubble. Its events become
// visible when they are due, which is not in the order of their offsets.
type topic struct {
	grpc.ClientConnInterface
	// fault may fail a request.
	fault func() error
	// delay is how long a pull takes, before and after it locks.
	delay func() time.Duration
	// ignores: the server does not understand the query that is "x".
	ignores bool

	mu     sync.Mutex
	events []*stored // by offset
	// asked is the filters of the requests, as they came.
	asked []string
}

type stored struct {
	*pb.Event
	due     time.Time
	deleted bool
	locked  bool
}

func (p *topic) add(offset int, due time.Time) *stored {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := &stored{Event: &pb.Event{
		Id: fmt.Sprintf("id-%d", offset), Name: "n", UserKey: fmt.Sprint("user-", offset%17), Offset: int32(offset),
	}, due: due}
	i, _ := slices.BinarySearchFunc(p.events, offset, func(e *stored, o int) int { return int(e.GetOffset()) - o })
	p.events = slices.Insert(p.events, i, e)
	return e
}

// Invoke implements grpc.ClientConnInterface.
func (p *topic) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	if request, ok := args.(*pb.PullQueuedEventsRequest); ok {
		raw, err := p.pull(ctx, request)
		if err != nil {
			return err
		}
		return codec(options).Unmarshal(mem.BufferSlice{mem.SliceBuffer(raw)}, reply)
	}
	request, ok := args.(*pb.PullEventsRequest)
	if !ok || method != pb.Events_PullEvents_FullMethodName || request.GetTopic() != "users" {
		return fmt.Errorf("call of %s with %v", method, args)
	}
	time.Sleep(time.Millisecond)
	if p.fault != nil {
		if err := p.fault(); err != nil {
			return err
		}
	}
	raw, err := p.answer(request)
	if err != nil {
		return err
	}
	return codec(options).Unmarshal(mem.BufferSlice{mem.SliceBuffer(raw)}, reply)
}

func (p *topic) answer(request *pb.PullEventsRequest) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	query := request.GetQuery()
	p.asked = append(p.asked, query)
	above, below := int64(-1), int64(math.MaxInt64)
	rest, chosen := strings.CutPrefix(query, "(x) and ")
	rest = strings.TrimPrefix(rest, "(occurred_at >= '2000-01-01T00:00:00Z') and ")
	if !chosen || !p.ignores {
		switch n, _ := fmt.Sscanf(rest, "offset > %d and offset < %d", &above, &below); {
		case n > 0:
		case rest == "offset < 0":
			below = 0
		case rest != "":
			return nil, fmt.Errorf("query %q", query)
		}
	}
	var r pb.PullEventsResponse
	now := time.Now()
	for _, e := range p.events {
		if o := int64(e.GetOffset()); o <= above || o >= below || e.deleted || e.due.After(now) {
			continue
		}
		if r.TotalCount++; r.TotalCount > request.GetOffset() && len(r.Events) < int(request.GetBatchSize()) {
			r.Events = append(r.Events, e.Event)
		}
	}
	return proto.Marshal(&r)
}

// pull locks events for ever, and may lose the answer, at once or much later.
func (p *topic) pull(ctx context.Context, request *pb.PullQueuedEventsRequest) ([]byte, error) {
	time.Sleep(p.delay())
	raw, err := p.lock(int(request.GetBatchSize()))
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(p.delay()):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return raw, p.fault()
}

func (p *topic) lock(n int) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var r pb.PullQueuedEventsResponse
	for _, e := range p.events {
		if len(r.Events) < n && !e.locked && !e.due.After(time.Now()) {
			e.locked = true
			r.Events = append(r.Events, e.Event)
		}
	}
	return proto.Marshal(&r)
}

// now and then fails a request.
func now(random *rand.Rand, one int) func() error {
	var mu sync.Mutex
	return func() error {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(one) > 0 {
			return nil
		}
		return []error{
			status.Error(codes.Unavailable, "gone"),
			status.Error(codes.Unknown, "Internal Server Error"),
			status.Error(codes.ResourceExhausted, "grpc: received message larger than max (2 vs. 1)"),
		}[random.IntN(3)]
	}
}

// memory is a journal that loses what was not written when it crashes.
type memory struct {
	mu        sync.Mutex
	marks     []message.Mark
	unsettled map[string]int64
	floor     int64
	known     bool
	appended  map[string]int // how often
}

func newMemory() *memory {
	return &memory{unsettled: make(map[string]int64), appended: make(map[string]int)}
}

// append keeps messages for ever.
func (m *memory) append(messages []*message.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, each := range messages {
		m.marks = append(m.marks, message.Mark{ID: each.ID, Position: each.Position, At: time.Now()})
		m.unsettled[each.ID] = each.Position
		m.appended[each.ID]++
	}
}

func (m *memory) settle(messages []*message.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, each := range messages {
		delete(m.unsettled, each.ID)
	}
}

// left is what an earlier run has not settled.
func (m *memory) left() (messages []*message.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, position := range m.unsettled {
		messages = append(messages, &message.Message{ID: id, Position: position})
	}
	return messages
}

func (m *memory) Remembered() ([]message.Mark, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.marks), nil
}

func (m *memory) Floor() (int64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.floor, m.known
}

func (m *memory) Forget(floor int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known && floor <= m.floor {
		panic("the floor fell")
	}
	for _, p := range m.unsettled {
		if p <= floor {
			panic("the floor rose above what is unsettled")
		}
	}
	m.floor, m.known = floor, true
	m.marks = slices.DeleteFunc(m.marks, func(k message.Mark) bool { return k.Position <= floor })
}

func (m *memory) Lowest() (lowest int64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.unsettled {
		if !ok || p < lowest {
			lowest, ok = p, true
		}
	}
	return lowest, ok
}

func (m *memory) count(id string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.appended[id]
}
