package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// ExamplesSection is the custom section with a module's own examples: events as
// `relayhost plugin test` reads them.
const ExamplesSection = "relayhost.examples"

// lastSection is the id of the section that comes last, of data.
const lastSection = 11

// Examples is what a module's file carries as its own examples, nil if nothing.
func Examples(file []byte) []byte {
	m, err := wasm.Decode(file)
	if err != nil {
		return nil
	}
	for _, c := range m.Customs {
		if c.Name == ExamplesSection {
			return c.Content
		}
	}
	return nil
}

// WithExamples is a module's file with examples in the place of those that it
// has.
func WithExamples(file, examples []byte) ([]byte, error) {
	m, err := wasm.Decode(file)
	if err != nil {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	m.Customs = slices.DeleteFunc(m.Customs, func(c wasm.Custom) bool { return c.Name == ExamplesSection })
	m.Customs = append(m.Customs, wasm.Custom{After: lastSection, Name: ExamplesSection, Content: examples})
	return m.Encode(), nil
}

// Recent are messages of events that the live version has handled well, to try
// another one on.
func (d *Deployment) Recent() []*message.Message { return d.recent.messages() }

// Rehearse has a slot of its own handle messages, and together the batches that
// come of them, and throws away what comes of that. It returns an outcome for
// each message: a failure of its batch is its own. The error is for a slot that
// cannot be had.
func (p *Plugin) Rehearse(ctx context.Context, messages []*message.Message) (outcomes []message.Outcome, err error) {
	slot, err := p.NewSlot(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, slot.Close(ctx)) }()
	defer context.AfterFunc(ctx, slot.Interrupt)()
	outcomes = make([]message.Outcome, len(messages))
	batches := map[[2]string][]int{}
	for i, prepared := range slot.prepare(messages) {
		m := messages[i]
		if outcomes[i] = prepared.Outcome; !prepared.OK() {
			continue
		}
		m.Apply(&prepared)
		patch := slot.HandleMessage(m)
		if outcomes[i] = patch.Outcome; patch.OK() && len(patch.Outputs) == 0 {
			m.Apply(&patch)
			at := [2]string{m.Batcher, m.BatchKey}
			batches[at] = append(batches[at], i)
		}
	}
	if p.settings.NeedBatch {
		for at, places := range batches {
			slot.rehearseBatch(at, places, messages, outcomes)
		}
	}
	return outcomes, nil
}

func (s *Slot) rehearseBatch(at [2]string, places []int, messages []*message.Message, outcomes []message.Outcome) {
	b := &message.Batch{Batcher: at[0], Key: at[1], Trigger: message.TriggerFlush}
	for _, i := range places {
		b.Messages = append(b.Messages, messages[i])
	}
	result := s.HandleBatch(b)
	for n, i := range places {
		outcomes[i] = result.Outcomes[n]
	}
}
