package flow

import (
	"bytes"
	"context"
	"strconv"

	"github.com/relayhost/relayhost/bench/guests"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
)

// seats are a deployment's, as a host has them.
type seats struct {
	deployment *plugin.Deployment
	keys       int
}

func (s seats) NewHandler(ctx context.Context, stage message.Stage) (pipeline.Handler, error) {
	posts := map[message.Stage]message.Stage{
		message.StageProcessors: message.StageProcessors, message.StageBatchers: message.StageBatchers, message.StageFailures: message.StageFailures,
	}
	seat, err := s.deployment.Sit(ctx, posts[stage])
	if err != nil || stage != message.StageProcessors || s.keys < 2 {
		return seat, err
	}
	return newKeyed(seat, s.keys), nil
}

func (s seats) Callbacks() pipeline.Callbacks {
	return pipeline.Callbacks{PrepareMessages: s.deployment.Prepares(), HandleFailed: s.deployment.Fails()}
}

// keyed gives messages batch keys in turn.
type keyed struct {
	*plugin.Seat
	keys []string
}

func newKeyed(seat *plugin.Seat, n int) *keyed {
	k := &keyed{Seat: seat, keys: make([]string, n)}
	for i := range k.keys {
		k.keys[i] = "key-" + strconv.Itoa(i)
	}
	return k
}

func (k *keyed) HandleMessage(m *message.Message) message.Patch {
	patch := k.Seat.HandleMessage(m)
	patch.BatchKey, patch.SetBatchKey = k.keys[int(m.Position)%len(k.keys)], true
	return patch
}

// native handles messages without a guest, and does next to nothing: what is left
// is what the pipeline itself costs.
type native struct{ outcomes []message.Outcome }

var upcased = bytes.Repeat([]byte("x"), len(guests.Upcased))

func (native) NewHandler(context.Context, message.Stage) (pipeline.Handler, error) {
	return &native{}, nil
}
func (native) Callbacks() pipeline.Callbacks { return pipeline.Callbacks{} }

func (*native) PrepareMessages(m []*message.Message) []message.Patch {
	return make([]message.Patch, len(m))
}

func (*native) HandleMessage(*message.Message) message.Patch { return message.Patch{Data: upcased} }

func (n *native) HandleBatch(b *message.Batch) message.BatchResult {
	for len(n.outcomes) < len(b.Messages) {
		n.outcomes = append(n.outcomes, message.Outcome{})
	}
	return message.BatchResult{Outcomes: n.outcomes[:len(b.Messages)], Records: []message.Record{{Data: upcased}}}
}

func (*native) HandleFailed(f []message.Failure) ([]message.OnFailure, message.Outcome) {
	return make([]message.OnFailure, len(f)), message.Outcome{}
}
func (*native) Interrupt()                  {}
func (*native) Close(context.Context) error { return nil }

// discard is a sink that takes everything.
type discard struct{}

func (discard) Deliver(context.Context, *message.Batch, []message.Record) error { return nil }
