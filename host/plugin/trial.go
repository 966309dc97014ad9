package plugin

import (
	"context"
	"hash/maphash"
	"math"
	"sync/atomic"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// TrialOptions says how a version is tried on real messages.
type TrialOptions struct {
	// Share is the part of the messages, above 0 and up to 1, that it gets.
	Share float64
	// Shadow: it gets copies, what it makes of them is compared and goes nowhere.
	// Otherwise it is a canary, and what it makes of its share goes on.
	Shadow bool
}

// trial is a version beside the live one.
type trial struct {
	candidate *Plugin
	options   TrialOptions
	key       func(*message.Message) string
	seed      maphash.Seed
	below     uint64 // a key with a hash below it is picked
	live      tally
	tried     tally
	shadow    *shadow // nil for a canary
	over      atomic.Bool
}

// Measures are what a version has done in a trial. Time is what its calls took.
type Measures struct {
	Messages, Failures int64
	Fuel               uint64
	Time               time.Duration
}

// Difference is a message that a shadow has handled otherwise; Fields are the
// names of what differs.
type Difference struct {
	EventID string
	Fields  []string
}

// Trial is what a trial has shown so far. Compared and what follows is of a
// shadow: Skipped were left out, since it was not quick enough.
type Trial struct {
	Live, Candidate             Measures
	Compared, Differed, Skipped int64
	Differences                 []Difference
	// Resting: the candidate fails all the time.
	Resting bool
}

// tally counts for all slots.
type tally struct {
	messages, failures, nanoseconds atomic.Int64
	fuel                            atomic.Uint64
}

func (t *tally) measures() Measures {
	return Measures{
		Messages: t.messages.Load(), Failures: t.failures.Load(),
		Fuel: t.fuel.Load(), Time: time.Duration(t.nanoseconds.Load()),
	}
}

func (t *tally) add(s *Slot, began time.Time, messages, failures int) {
	t.nanoseconds.Add(int64(time.Since(began)))
	t.fuel.Add(s.Spent())
	t.messages.Add(int64(messages))
	t.failures.Add(int64(failures))
}

func newTrial(candidate *Plugin, o TrialOptions, key func(*message.Message) string) *trial {
	t := &trial{candidate: candidate, options: o, key: key, seed: maphash.MakeSeed()}
	if t.below = math.MaxUint64; o.Share < 1 {
		t.below = uint64(o.Share * math.MaxUint64)
	}
	return t
}

// picks reports whether a message is of the candidate's share.
func (t *trial) picks(m *message.Message) bool {
	key := m.Partition
	if t.key != nil {
		key = t.key(m)
	}
	if key == "" {
		key = m.ID
	}
	return maphash.String(t.seed, key) <= t.below
}

// tries reports whether the canary gets a message.
func (t *trial) tries(m *message.Message) bool {
	return t.shadow == nil && !t.over.Load() && !t.candidate.breaker.open() && t.picks(m)
}

// handleMessage gives a message to the version whose it is. What the candidate
// fails the live version handles: it was no worse off without the trial.
func (t *trial) handleMessage(c *crew, m *message.Message) message.Patch {
	if t.tries(m) {
		if patch := t.measure(&t.tried, c.trial, m); patch.OK() {
			return patch
		}
		return c.live.handleAnew(m)
	}
	patch := t.measure(&t.live, c.live, m)
	if t.shadow != nil && t.picks(m) {
		t.shadow.offer(m, &patch)
	}
	return patch
}

// handleAnew handles a message that another version has failed, from what it was
// before that one prepared it.
func (s *Slot) handleAnew(m *message.Message) message.Patch {
	m.Begin()
	if patch := s.prepare([]*message.Message{m})[0]; patch.OK() {
		m.Apply(&patch)
	} else {
		return patch
	}
	return s.HandleMessage(m)
}

func (t *trial) measure(to *tally, s *Slot, m *message.Message) message.Patch {
	began := time.Now()
	patch := s.HandleMessage(m)
	failures := 0
	if !patch.OK() {
		failures = 1
	}
	to.add(s, began, 1, failures)
	return patch
}

// prepare has the canary prepare messages, into their places. Its failures count;
// the messages do when they are handled.
func (t *trial) prepare(s *Slot, messages []*message.Message, patches []message.Patch, places []int) {
	if !s.plugin.prepares {
		return
	}
	began := time.Now()
	place(patches, places, s.prepare(messages))
	failures := 0
	for _, i := range places {
		if !patches[i].OK() {
			failures++
		}
	}
	t.tried.add(s, began, 0, failures)
}

// handleBatch counts the failures of a batch as those of its messages, which
// have been counted.
func (t *trial) handleBatch(c *crew, s *Slot, b *message.Batch) message.BatchResult {
	to := &t.live
	if s == c.trial {
		to = &t.tried
	}
	began := time.Now()
	result := s.HandleBatch(b)
	failures := 0
	for i := range result.Outcomes {
		if !result.Outcomes[i].OK() {
			failures++
		}
	}
	to.add(s, began, 0, failures)
	// What was prepared is not made again, so that a batch of it tells nothing.
	if t.shadow != nil && len(b.Messages) > 0 && !s.plugin.prepares && t.picks(b.Messages[0]) {
		t.shadow.offerBatch(b, result)
	}
	return result
}

func (t *trial) report() Trial {
	r := Trial{Live: t.live.measures(), Candidate: t.tried.measures(), Resting: t.candidate.breaker.open()}
	if t.shadow != nil {
		t.shadow.report(&r)
	}
	return r
}

func (t *trial) stop() {
	if t.shadow != nil {
		t.shadow.stop()
	}
}

// Try begins a trial of a version, which the deployment then owns, in the place of
// one that runs. told is called as it is warmed. With an error nothing has
// changed, and the version is still the caller's.
func (d *Deployment) Try(ctx context.Context, candidate *Plugin, o TrialOptions, told func(stage string)) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	told("warm")
	t := newTrial(candidate, o, d.options.Key)
	slots := map[*Seat]*Slot{}
	var err error
	if o.Shadow {
		t.shadow, err = newShadow(t)
	} else {
		slots, err = d.warm(ctx, candidate)
	}
	if err != nil {
		return err
	}
	if last := d.onTrial(); last != nil {
		d.dismiss(ctx, last)
	}
	if !o.Shadow {
		d.expect(d.Live(), candidate)
	}
	d.change(func(s *Seat, now crew) crew {
		return t.join(s, now, slots[s])
	})
	d.mu.Lock()
	d.trial = t
	d.mu.Unlock()
	return nil
}

// join puts the trial at a seat, with a slot if it is a canary.
func (t *trial) join(s *Seat, c crew, tried *Slot) crew {
	if s.stage != message.StageFailures {
		c.on = t
	}
	c.trial = tried
	return c
}

// Trial is what the trial has shown so far.
func (d *Deployment) Trial() (Trial, error) {
	d.mu.Lock()
	t := d.trial
	d.mu.Unlock()
	if t == nil {
		return Trial{}, ErrNoTrial
	}
	return t.report(), nil
}

// Promote makes the version on trial the live one, as [Deployment.Switch] does.
func (d *Deployment) Promote(ctx context.Context, told func(stage string)) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	t := d.onTrial()
	if t == nil {
		return ErrNoTrial
	}
	slots := map[*Seat]*Slot{}
	var err error
	if t.shadow != nil {
		told("warm")
		slots, err = d.warm(ctx, t.candidate)
	}
	if err != nil {
		return err
	}
	t.stop()
	if t.shadow == nil {
		for _, s := range d.seated() {
			slots[s] = s.crew.Load().trial
		}
	}
	d.replace(ctx, t.candidate, slots, told)
	return nil
}

// Drop ends the trial: the live version has all messages, and the candidate is
// closed once it has ended what it has begun.
func (d *Deployment) Drop(ctx context.Context) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	t := d.onTrial()
	if t == nil {
		return ErrNoTrial
	}
	d.dismiss(ctx, t)
	return nil
}

// dismiss has the canary end at once what it does with a message: the live version
// handles that.
func (d *Deployment) dismiss(ctx context.Context, t *trial) {
	t.stop()
	t.over.Store(true)
	for _, s := range d.seated() {
		if c := s.crew.Load(); c.trial != nil && s.stage == message.StageProcessors {
			c.trial.cut()
		}
	}
	d.change(func(s *Seat, now crew) crew {
		if s.stage == message.StageBatchers {
			now.old = now.trial
		}
		now.trial, now.on = nil, nil
		return now
	})
	d.mu.Lock()
	d.trial = nil
	d.mu.Unlock()
	d.drain(ctx)
	d.expect(d.Live())
	d.retire(ctx, t.candidate)
}

func (d *Deployment) onTrial() *trial {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.trial
}
