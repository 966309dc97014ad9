package pipeline

import (
	"context"
	"slices"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// brought is what a pull has brought.
type brought struct {
	messages []*message.Message
	bytes    int
	wanted   int // of the source
	began    time.Time
}

// keeper makes what was pulled safe before it is taken in, while the next pull is
// under way. What comes while the disk works goes to it together.
type keeper struct {
	pipeline *Pipeline
	inbox    *inbox[brought]
}

// startKeeper runs the keeper, if there is a journal; what it returns waits until
// all that was pulled is taken in.
func (p *Pipeline) startKeeper(work context.Context) (stop func()) {
	if p.keeper == nil {
		return func() {}
	}
	wait := startAll([]*keeper{p.keeper}, func(k *keeper) { k.run(work) })
	return func() {
		p.keeper.inbox.close()
		wait()
	}
}

// run ends when its inbox is closed and empty, and not before: what was pulled
// must be in the books.
func (k *keeper) run(work context.Context) {
	var spare []brought
	for {
		pulls := k.inbox.take(context.WithoutCancel(work), spare)
		if pulls == nil {
			return
		}
		b := merge(pulls)
		k.pipeline.keep(work, b.messages)
		k.pipeline.takeIn(b)
		spare = pulls
	}
}

// merge makes one of pulls that came one after the other.
func merge(pulls []brought) brought {
	b := pulls[0]
	for _, next := range pulls[1:] {
		b.messages = append(slices.Clip(b.messages), next.messages...)
		b.bytes += next.bytes
		b.wanted += next.wanted
	}
	return b
}

// takeIn takes what was brought into the pipeline.
func (p *Pipeline) takeIn(b brought) {
	p.demand.arrived(len(b.messages), &b)
	p.receive(b.messages, 0)
}
