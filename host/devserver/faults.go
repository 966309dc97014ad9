package devserver

import (
	"context"
	"math/rand/v2"
	"path"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// FaultKind is a way in which the real server was seen to fail.
type FaultKind string

// The kinds.
const (
	// ISE answers an internal error and does nothing.
	ISE FaultKind = "ise"
	// Stall waits, does what was asked, a pull's locks included, and answers an
	// internal error: a query that took over 5 s.
	Stall FaultKind = "stall"
	// Cut does what was asked and cuts the connection in place of an answer.
	Cut FaultKind = "cut"
	// Large answers with over 4 MiB, the most that a gRPC client takes unless it
	// is told otherwise.
	Large FaultKind = "large"
	// Late takes offsets for what is published and stores it a while later:
	// events appear below others that have been read.
	Late FaultKind = "late"
	// Status500 cuts the connection, and answers the first request on the next
	// one with HTTP status 500 and no gRPC.
	Status500 FaultKind = "500"
	// Trickle sends the answer slowly, a few bytes at a time.
	Trickle FaultKind = "trickle"
)

// FaultKinds are all kinds.
var FaultKinds = []FaultKind{ISE, Stall, Cut, Large, Late, Status500, Trickle}

// Fault is a fault that some calls meet. The first of a server's faults that
// strikes is the one.
type Fault struct {
	Kind FaultKind
	// Methods are those that it strikes, of PullQueuedEvents, PullEvents,
	// PublishEvents and UnLockQueuedEvents. Defaults to the two pulls, and for
	// Late to PublishEvents, the only one that it can strike.
	Methods []string
	// Probability is from 0 to 1. Defaults to 1.
	Probability float64
	// Count is how many calls it strikes. Defaults to 0, no limit.
	Count int
	// Duration is how long Stall and Late wait, and how long Trickle takes. It
	// defaults to 5 s, 1 s and 1 s.
	Duration time.Duration
}

// padding is what Large adds to an answer, in bytes.
const padding = 4<<20 + 1

func (f Fault) withDefaults() Fault {
	if len(f.Methods) == 0 {
		f.Methods = []string{"PullQueuedEvents", "PullEvents"}
		if f.Kind == Late {
			f.Methods = []string{"PublishEvents"}
		}
	}
	if f.Probability == 0 {
		f.Probability = 1
	}
	if f.Duration == 0 {
		f.Duration = time.Second
		if f.Kind == Stall {
			f.Duration = 5 * time.Second
		}
	}
	return f
}

// faultPlan says which calls fail.
type faultPlan struct {
	mu     sync.Mutex
	random *rand.Rand
	faults []planned
}

type planned struct {
	Fault
	struck int
}

func newFaultPlan(seed uint64, faults []Fault) *faultPlan {
	p := &faultPlan{random: rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // chance, no secret
	p.set(faults)
	return p
}

func (p *faultPlan) set(faults []Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
	for _, f := range faults {
		p.faults = append(p.faults, planned{Fault: f.withDefaults()})
	}
}

// strike is the fault that a call of the method meets, nil for none.
func (p *faultPlan) strike(method string) *Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.faults {
		f := &p.faults[i]
		if !slices.Contains(f.Methods, method) || f.Count > 0 && f.struck == f.Count || p.random.Float64() >= f.Probability {
			continue
		}
		f.struck++
		return &f.Fault
	}
	return nil
}

// SetFaults replaces the faults, from the next call on.
func (s *Server) SetFaults(faults ...Fault) { s.faults.set(faults) }

// Faults is how calls fail that are made by way of [Server.RegisterEvents]; what
// is done to a connection cannot be done there.
func (s *Server) Faults() grpc.UnaryServerInterceptor { return failing(s.faults, s.conns) }

// failing lets calls fail as planned.
func failing(plan *faultPlan, conns *tap) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		f := plan.strike(path.Base(info.FullMethod))
		if f == nil {
			return next(ctx, req)
		}
		switch f.Kind {
		case ISE:
			return nil, errInternal
		case Stall:
			time.Sleep(f.Duration) // the database does not know that the client has gone
			_, _ = next(context.WithoutCancel(ctx), req)
			return nil, errInternal
		case Late:
			return next(context.WithValue(ctx, lateKey{}, f.Duration), req)
		case Status500:
			conns.answer500()
			conns.cut(ctx)
			return nil, errInternal
		}
		response, err := next(context.WithoutCancel(ctx), req)
		switch f.Kind {
		case Cut:
			conns.cut(ctx)
		case Large:
			if err == nil {
				enlarge(response)
			}
		case Trickle:
			conns.slow(ctx, f.Duration)
		}
		return response, err
	}
}

// lateKey is the context's key of how late what is published is stored.
type lateKey struct{}

func lateness(ctx context.Context) time.Duration {
	d, _ := ctx.Value(lateKey{}).(time.Duration)
	return d
}

// enlarge adds an unknown field to a response, which leaves the rest as it is.
func enlarge(response any) {
	m, ok := response.(proto.Message)
	if !ok {
		return
	}
	r := m.ProtoReflect()
	field := protowire.AppendTag(r.GetUnknown(), 1000, protowire.BytesType)
	r.SetUnknown(protowire.AppendBytes(field, make([]byte, padding)))
}
