package eventrelay

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// Memory is what a source knows of its earlier runs. It takes note of events by
// itself, when they are made safe; the source only says what it may forget.
type Memory interface {
	// Remembered is the events that were made safe and are not forgotten, be
	// they settled or not.
	Remembered() ([]message.Mark, error)
	// Floor is what Forget last set.
	Floor() (position int64, ok bool)
	// Forget drops what is at or below the floor, and keeps the floor. It does
	// not wait until that is safe; but it is no later than what is remembered
	// afterwards.
	Forget(floor int64)
	// Lowest is the lowest position of an event that has not settled.
	Lowest() (position int64, ok bool)
}

// errMemory is wrapped by what a Memory fails with.
var errMemory = errors.New("what earlier runs have read is not known")

// amnesia is the memory of a source that has none.
type amnesia struct{}

func (amnesia) Remembered() ([]message.Mark, error) { return nil, nil }
func (amnesia) Floor() (int64, bool)                { return 0, false }
func (amnesia) Forget(int64)                        {}
func (amnesia) Lowest() (int64, bool)               { return 0, false }

// progress is what was seen of a log, and how much of it is done with. Whoever
// has it locks it.
type progress struct {
	memory Memory
	bounds Lookback
	logger *slog.Logger

	// floor is what the memory has; above low late events are looked for.
	floor, low int64
	window     window
	// open is the events that were brought and have not settled.
	open map[key]struct{}
	// raised is when the floor was last tried.
	raised time.Time
	// shortened: it was said that the look-back is shorter than wanted.
	shortened bool
}

func newProgress(memory Memory, bounds Lookback, logger *slog.Logger) progress {
	return progress{memory: memory, bounds: bounds, logger: logger, open: make(map[key]struct{})}
}

// begin takes up what earlier runs have left, at the floor, or where start says
// if there is none.
func (p *progress) begin(start func() (int64, error)) error {
	marks, err := p.memory.Remembered()
	if err != nil {
		return fmt.Errorf("%w: %w", errMemory, err)
	}
	floor, known := p.memory.Floor()
	if !known {
		if floor, err = start(); err != nil {
			return err
		}
		// At once: a crash must not have the next run begin later.
		p.memory.Forget(floor)
	}
	p.floor, p.low, p.window = floor, floor, remember(marks, floor)
	return nil
}

// bring takes note of events that are handed out, until they settle.
func (p *progress) bring(messages ...*message.Message) {
	for _, m := range messages {
		p.open[keyOf(m)] = struct{}{}
	}
}

func (p *progress) settle(messages []*message.Message) {
	for _, m := range messages {
		delete(p.open, keyOf(m))
	}
}

// raise forgets what needed no more looking back, which nothing above upTo does,
// when that was last done, and lets the floor rise to what is settled as well.
func (p *progress) raise(looked time.Time, upTo int64) {
	now := time.Now()
	if now.Sub(p.raised) < time.Second {
		return
	}
	p.raised = now
	p.shorten(looked, upTo)
	if p.low <= p.floor {
		return
	}
	if floor := min(p.low, p.settled()); floor > p.floor {
		p.floor = floor
		p.memory.Forget(floor)
	}
}

// settled is the offset up to which no event is unsettled: not one of this run,
// be it in the memory yet or not, and not one of an earlier run.
func (p *progress) settled() int64 {
	settled := int64(math.MaxInt64)
	for k := range p.open {
		settled = min(settled, k.position-1)
	}
	if lowest, ok := p.memory.Lowest(); ok {
		settled = min(settled, lowest-1)
	}
	return settled
}

// room is how many events can be looked back to.
func (p *progress) room() int { return min(p.bounds.Events, p.bounds.Bytes/sightingSize) }

// shorten forgets what was seen long ago, and what there is no room for.
func (p *progress) shorten(looked time.Time, upTo int64) {
	seen := p.window.seen[:p.window.above(upTo)]
	oldest, old := int64(math.MinInt64), 0
	if !looked.IsZero() {
		oldest = looked.Add(-p.bounds.Time).UnixNano()
	}
	for old < len(seen) && seen[old].at < oldest {
		old++
	}
	over := max(len(seen)-p.room(), 0)
	if n := max(over, old); n > 0 {
		p.low = max(p.low, p.window.drop(n))
	}
	if over > old && !p.shortened {
		p.shortened = true
		p.logger.Warn("events that come late are looked for among the last ones only: there are too many",
			"events", p.room(), "hint", "raise lookback.events and lookback.bytes, or lower lookback.time")
	}
}
