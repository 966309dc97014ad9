package trial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// run is one call: a pipeline from its first message to its last.
type run struct {
	trial   *Pipeline
	waiting []*message.Message // of the one producer

	mu       sync.Mutex
	handlers []*handler
	acks     []Ack
	batches  []*Batch
	open     map[*message.Batch]*Batch // handled, and not delivered
}

func (p *Pipeline) newRun(messages []*message.Message) *run {
	r := &run{
		trial: p, waiting: messages, acks: make([]Ack, len(messages)),
		open: map[*message.Batch]*Batch{},
	}
	for i, m := range messages {
		r.acks[i].ID = m.ID
	}
	return r
}

// shape has room for all messages, and the sinks report to the run.
func (r *run) shape() pipeline.Config {
	c := r.trial.config
	c.MaxInFlight, c.MaxInFlightBytes = len(r.acks)+1, math.MaxInt64
	c.Batchers = slices.Clone(c.Batchers)
	for i := range c.Batchers {
		c.Batchers[i].Sink = &sink{run: r, next: c.Batchers[i].Sink}
	}
	return c
}

func (r *run) do(ctx context.Context) ([]Ack, []*Batch, error) {
	p, err := pipeline.New(r.shape(), r, slots{r})
	if err != nil {
		return nil, nil, err
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		r.interrupt()
		close(interrupted)
	})
	err = p.Run(ctx)
	if !stop() {
		<-interrupted
	}
	if _, halted := errors.AsType[*pipeline.UnsettledError](err); halted {
		err = nil // the acknowledgements say so
	}
	return r.report(), r.inOrder(), errors.Join(ctx.Err(), err, r.forget(ctx))
}

// interrupt ends what runs at once.
func (r *run) interrupt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.handlers {
		h.Interrupt()
	}
}

// forget gives up the slots that can be used no more. One that the pipeline has
// abandoned is lost.
func (r *run) forget(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for i, h := range r.handlers {
		if !h.interrupted.Load() {
			continue
		}
		r.trial.slots[i] = nil
		if h.back.Load() {
			errs = append(errs, h.Slot.Close(context.WithoutCancel(ctx)))
		}
	}
	return errors.Join(errs...)
}

// report is what is known of each event once the pipeline has ended.
func (r *run) report() []Ack {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.batches {
		for _, i := range slices.Compact(slices.Sorted(slices.Values(b.Events))) {
			r.acks[i].Batches = append(r.acks[i].Batches, b)
		}
	}
	return slices.Clone(r.acks)
}

// inOrder is the batches in the order of their first events.
func (r *run) inOrder() []*Batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	batches := slices.Clone(r.batches)
	slices.SortStableFunc(batches, func(a, b *Batch) int {
		return cmp.Or(cmp.Compare(a.Events[0], b.Events[0]), cmp.Compare(a.Batcher, b.Batcher), cmp.Compare(a.Key, b.Key))
	})
	return batches
}

// index is a message's place among those of the call: one producer brings them,
// in order.
func index(m *message.Message) int { return int(m.Sequence - 1) }

// ack changes what is known of a message.
func (r *run) ack(m *message.Message, change func(*Ack)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.acks[index(m)])
}

// Pull gives what there is, and then there is no more.
func (r *run) Pull(_ context.Context, _ <-chan struct{}, n int) ([]*message.Message, error) {
	n = min(n, len(r.waiting))
	messages := r.waiting[:n:n]
	if r.waiting = r.waiting[n:]; len(r.waiting) == 0 {
		return messages, io.EOF
	}
	return messages, nil
}

// Settle is the caller's acknowledgement.
func (r *run) Settle(messages []*message.Message) {
	for _, m := range messages {
		r.ack(m, func(a *Ack) {
			a.Settled, a.Outcome = true, m.Outcome()
			a.Data, a.Batcher, a.BatchKey, a.Flush = m.Data, m.Batcher, m.BatchKey, m.Flush
		})
	}
}

// Messages is events as a pipeline's source would bring them.
func Messages(events []*pb.Event) ([]*message.Message, error) {
	messages := make([]*message.Message, len(events))
	for i, e := range events {
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("encode event %s: %w", e.GetId(), err)
		}
		messages[i] = &message.Message{ID: e.GetId(), Event: raw, Position: int64(e.GetOffset())}
	}
	return afresh(messages), nil
}

// afresh is the events of messages, of which nothing has been handled.
func afresh(messages []*message.Message) []*message.Message {
	block, begun := make([]message.Message, len(messages)), make([]*message.Message, len(messages))
	for i, m := range messages {
		block[i] = message.Message{ID: m.ID, Event: m.Event, Position: m.Position, Attempt: 1}
		block[i].Begin()
		begun[i] = &block[i]
	}
	return begun
}
