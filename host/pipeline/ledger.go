package pipeline

import (
	"fmt"
	"strings"
	"sync"

	"github.com/relayhost/relayhost/host/message"
)

// Books counts a pipeline's messages. They balance at every instant: Received
// = InFlight + the sum of Settled.
type Books struct {
	Received int64
	InFlight int64
	Settled  map[message.Kind]int64
}

// SettledTotal is the number of messages that have an outcome.
func (b Books) SettledTotal() (n int64) {
	for _, v := range b.Settled {
		n += v
	}
	return n
}

// SettledOK is the number of messages that succeeded.
func (b Books) SettledOK() int64 { return b.Settled[message.OK] }

// ledger keeps the books: which messages are in flight, and how the others
// ended. It is locked once for a chunk, not for a message.
type ledger struct {
	mu       sync.Mutex
	received int64
	settled  [16]int64 // by message.Kind
	inFlight message.Set
}

func (l *ledger) receive(messages []*message.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received += int64(len(messages))
	for _, m := range messages {
		l.inFlight.Add(m)
	}
}

func (l *ledger) settle(messages []*message.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		if l.inFlight.Remove(m) {
			l.settled[m.Outcome().Kind]++
		}
	}
}

// Books returns the pipeline's counts at one instant.
func (p *Pipeline) Books() Books {
	l := &p.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	b := Books{Received: l.received, InFlight: int64(l.inFlight.Len()), Settled: map[message.Kind]int64{}}
	for _, kind := range message.Kinds() {
		if n := l.settled[kind]; n > 0 {
			b.Settled[kind] = n
		}
	}
	return b
}

// UnsettledError says which messages had no outcome when the drain's deadline
// passed.
type UnsettledError struct {
	Pipeline string
	IDs      []string
}

// listed is how many ids an error's text names; IDs has them all.
const listed = 20

func (e *UnsettledError) Error() string {
	ids, more := e.IDs, ""
	if len(ids) > listed {
		ids, more = ids[:listed], fmt.Sprintf(" and %d more", len(e.IDs)-listed)
	}
	return fmt.Sprintf("pipeline %q: %d messages are unsettled after the shutdown deadline: %s%s",
		e.Pipeline, len(e.IDs), strings.Join(ids, ", "), more)
}

// unsettled is nil or an *UnsettledError.
func (p *Pipeline) unsettled() error {
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	if p.ledger.inFlight.Len() == 0 {
		return nil
	}
	e := &UnsettledError{Pipeline: p.config.Name}
	for m := range p.ledger.inFlight.All() {
		e.IDs = append(e.IDs, m.ID)
	}
	return e
}

// settle gives messages their outcomes, in order, and tells the source. What
// comes after the drain's deadline is ignored: those messages have been
// reported as unsettled.
func (p *Pipeline) settle(messages []*message.Message, outcomes []message.Outcome) {
	if len(messages) == 0 || p.halted.Load() {
		return
	}
	for i, m := range messages {
		if m.Settle(outcomes[i]) && !outcomes[i].OK() {
			p.logFailure(m)
		}
	}
	p.ledger.settle(messages)
	p.source.Settle(messages)
}

func (p *Pipeline) logFailure(m *message.Message) {
	o := m.Outcome()
	p.log.Error("message failed", "event", m.ID, "position", m.Position, "kind", o.Kind.String(),
		"reason", o.Reason, "attempt", m.Attempt)
}
