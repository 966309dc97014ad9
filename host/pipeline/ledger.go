package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// Books counts a pipeline's messages. They balance at every instant: Received
// = InFlight + the sum of Settled.
type Books struct {
	Received int64
	InFlight int64
	Settled  map[message.Kind]int64
	// Bytes is the size of the events in flight.
	Bytes int64
	// Dropped, DeadLettered and Unlocked are what became of those that failed.
	Dropped, DeadLettered, Unlocked int64
	// Recovered is how many of those received the journal had.
	Recovered int64
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
	mu        sync.Mutex
	received  int64
	recovered int64
	settled   [16]int64 // by message.Kind
	actions   [8]int64  // by message.OnFailure
	bytes     int64
	inFlight  message.Set
}

// receive takes messages in and numbers them. So many of them the journal had.
func (l *ledger) receive(messages []*message.Message, recovered int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recovered += int64(recovered)
	for _, m := range messages {
		l.received++
		m.Sequence = uint64(l.received) //nolint:gosec // a count
		l.bytes += int64(len(m.Event))
		l.inFlight.Add(m)
	}
}

// settle takes messages out and returns their bytes.
func (l *ledger) settle(messages []*message.Message) (bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		if !l.inFlight.Remove(m) {
			continue
		}
		bytes += int64(len(m.Event))
		o := m.Outcome()
		l.settled[o.Kind]++
		l.actions[o.Action]++
	}
	l.bytes -= bytes
	return bytes
}

func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inFlight.Len()
}

// Books returns the pipeline's counts at one instant.
func (p *Pipeline) Books() Books {
	l := &p.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	b := Books{
		Received: l.received, InFlight: int64(l.inFlight.Len()), Settled: map[message.Kind]int64{}, Bytes: l.bytes,
		Dropped: l.actions[message.Drop], DeadLettered: l.actions[message.DeadLetter],
		Unlocked: l.actions[message.Unlock], Recovered: l.recovered,
	}
	for _, kind := range message.Kinds() {
		if n := l.settled[kind]; n > 0 {
			b.Settled[kind] = n
		}
	}
	return b
}

// Waiting is where a pipeline's messages wait that no handler is at work on.
type Waiting struct {
	// Batchers is how many wait in each batcher, in open batches and in full ones.
	Batchers map[string]int
	// Retries is how many wait for another attempt.
	Retries int
	// HaltedPartitions is how many partitions are halted, and HaltedMessages how
	// many messages wait in them.
	HaltedPartitions, HaltedMessages int
}

// Waiting counts what waits; not at one instant.
func (p *Pipeline) Waiting() Waiting {
	w := Waiting{Batchers: make(map[string]int, len(p.batchers)), Retries: p.retrier.len()}
	for name, b := range p.batchers {
		w.Batchers[name] = b.waiting()
	}
	w.HaltedPartitions, w.HaltedMessages = p.gate.stuck()
	return w
}

// UnsettledError says which messages had no outcome when the drain ended.
type UnsettledError struct {
	Pipeline string
	IDs      []string
	// Halted: the deadline has not passed; all of them wait in partitions that
	// are halted.
	Halted bool
	// Kept: the journal has them, for the next run.
	Kept bool
}

// listed is how many ids an error's text names; IDs has them all.
const listed = 20

func (e *UnsettledError) Error() string {
	ids, more := e.IDs, ""
	if len(ids) > listed {
		ids, more = ids[:listed], fmt.Sprintf(" and %d more", len(e.IDs)-listed)
	}
	why := "after the shutdown deadline"
	if e.Halted {
		why = "in halted partitions"
	}
	text := fmt.Sprintf("pipeline %q: %d messages are unsettled %s: %s%s",
		e.Pipeline, len(e.IDs), why, strings.Join(ids, ", "), more)
	if e.Kept {
		text += "\nhint: the journal has them, and the next run takes them up"
	}
	return text
}

// unsettled is nil or an *UnsettledError.
func (p *Pipeline) unsettled() error {
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	if p.ledger.inFlight.Len() == 0 {
		return nil
	}
	e := &UnsettledError{Pipeline: p.config.Name, Halted: !p.halted.Load(), Kept: p.config.Journal != nil}
	left := slices.SortedFunc(p.ledger.inFlight.All(), func(a, b *message.Message) int { return cmp.Compare(a.Sequence, b.Sequence) })
	for _, m := range left {
		e.IDs = append(e.IDs, m.ID)
	}
	return e
}

// settle gives messages their outcomes, in order, and tells the journal and the
// source; those to be unlocked are so first. What comes after the drain's deadline
// is ignored: those messages have been reported as unsettled.
func (p *Pipeline) settle(ended []message.Failure) {
	if p.unlocker != nil {
		ended = p.unlocker.take(ended)
	}
	p.settleNow(ended)
}

func (p *Pipeline) settleNow(ended []message.Failure) {
	if len(ended) == 0 || p.halted.Load() {
		return
	}
	messages := make([]*message.Message, len(ended))
	for i := range ended {
		f := &ended[i]
		messages[i] = f.Message
		if f.Message.Settle(f.Outcome) && !f.Outcome.OK() {
			p.logFailure(f.Message)
		}
	}
	p.account(messages)
}

// succeed settles messages that are ok.
func (p *Pipeline) succeed(messages []*message.Message) {
	if p.halted.Load() {
		return
	}
	for _, m := range messages {
		m.Settle(message.Outcome{})
	}
	p.account(messages)
}

// account enters settled messages in the books, and has the next of their
// partitions go on.
func (p *Pipeline) account(messages []*message.Message) {
	watch := p.watch()
	bytes := p.ledger.settle(messages)
	if j := p.config.Journal; j != nil {
		j.Settle(messages)
	}
	p.source.Settle(messages)
	watch.tell(func(o Observer, took time.Duration) { o.Settled(messages, took) })
	p.demand.settled(len(messages), bytes)
	for _, m := range messages {
		if next := p.gate.next(m); next != nil {
			p.again(next)
		}
	}
	p.checkDrained()
}

func (p *Pipeline) logFailure(m *message.Message) {
	o := m.Outcome()
	p.log.Error("message failed", "event", m.ID, "position", m.Position, "kind", o.Kind.String(),
		"reason", o.Reason, "attempt", m.Attempt, "action", o.Action.String(), "digest", message.ShortDigest(m.Plugin))
}
