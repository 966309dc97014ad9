package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
)

// Deployment is the plugin of a running pipeline: the version that is live, and
// at times another that takes its place or is tried beside it. Make it with
// [Deploy]; the pipeline's slots are its seats.
//
// A version takes the place of another slot by slot, each between two chunks, and
// what the old one has begun it ends: a batch handler gets the messages that its
// own version has handled.
type Deployment struct {
	options  DeployOptions
	changing sync.Mutex // held by who changes seats

	stopped chan struct{} // closed by Stop
	stop    sync.Once
	idle    *reclaimer // nil if instances are never given back

	calls  atomic.Uint32 // the optional calls of all versions that are at work
	recent recent

	mu    sync.Mutex
	seats []*Seat
	live  *Plugin
	trial *trial // nil if none runs
}

// DeployOptions is what a deployment needs of its pipeline.
type DeployOptions struct {
	// Flush waits until everything that handlers have handed on to batchers has
	// been handled.
	Flush func(ctx context.Context) error
	// Key is what a message is chosen by for a canary: equal keys go the same
	// way. Defaults to the message's partition, or its id if it has none.
	Key func(*message.Message) string
	// Busy reports whether messages wait, so that what is made meanwhile has to
	// leave them the machine. Defaults to never.
	Busy func() bool
	// Idle is for how long a seat may have nothing to do before its instances are
	// given back, which takes up to twice that; it has none before its first
	// chunk, too. Defaults to never, and to instances from the start on.
	Idle   time.Duration
	Logger *slog.Logger
}

// drainLimit is how long an old version may take for the batches that it has
// begun, before the new one is given the rest.
const drainLimit = time.Minute

// ErrNoTrial is the error of what is asked about a trial while there is none.
var ErrNoTrial = errors.New("no version is on trial")

// Deploy makes a deployment with a version that is live. It owns the version.
func Deploy(live *Plugin, o DeployOptions) *Deployment {
	d := &Deployment{options: o, live: live, stopped: make(chan struct{})}
	d.expect(live)
	if o.Idle > 0 {
		d.idle = d.reclaim(o.Idle)
	}
	return d
}

// Busy reports whether messages wait.
func (d *Deployment) Busy() bool { return d.options.Busy != nil && d.options.Busy() }

// Live is the version that is live.
func (d *Deployment) Live() *Plugin {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.live
}

// Candidate is the version on trial, nil if there is none.
func (d *Deployment) Candidate() *Plugin {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.trial == nil {
		return nil
	}
	return d.trial.candidate
}

// The optional calls, as bits.
const (
	callsPrepare = 1 << iota
	callsFailed
)

// Prepares reports whether a version at work exports prepare_messages.
func (d *Deployment) Prepares() bool { return d.calls.Load()&callsPrepare != 0 }

// Fails reports whether a version at work exports handle_failed.
func (d *Deployment) Fails() bool { return d.calls.Load()&callsFailed != 0 }

// expect says which versions are at work.
func (d *Deployment) expect(versions ...*Plugin) {
	var calls uint32
	for _, p := range versions {
		calls |= p.calls()
	}
	d.calls.Store(calls)
}

func (p *Plugin) calls() (calls uint32) {
	if p.prepares {
		calls |= callsPrepare
	}
	if p.fails {
		calls |= callsFailed
	}
	return calls
}

// Sit makes a seat.
func (d *Deployment) Sit(ctx context.Context, stage message.Stage) (*Seat, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	s := &Seat{deployment: d, stage: stage, ctx: context.WithoutCancel(ctx)}
	c, err := d.firstCrew(s)
	if err != nil {
		return nil, err
	}
	s.crew.Store(c)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seats = append(d.seats, s)
	return s, nil
}

// firstCrew makes the crew of a seat that is new.
func (d *Deployment) firstCrew(s *Seat) (*crew, error) {
	live, err := s.firstSlot(d.Live())
	t := d.onTrial()
	if err != nil || t == nil {
		return &crew{live: live}, err
	}
	var tried *Slot
	if t.shadow == nil {
		if tried, err = s.firstSlot(t.candidate); err != nil {
			return nil, errors.Join(err, closeAll(map[*Seat]*Slot{s: live}))
		}
	}
	c := t.join(s, crew{live: live}, tried)
	return &c, nil
}

// Switch makes next the live version, which it then owns, and closes the one
// before, and ends a trial that runs. told is called as each stage begins: "warm",
// "switch", "drain". With an error nothing has changed, and next is still the caller's.
func (d *Deployment) Switch(ctx context.Context, next *Plugin, told func(stage string)) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	told("warm")
	slots, err := d.warm(ctx, next)
	if err != nil {
		return err
	}
	if t := d.onTrial(); t != nil {
		d.dismiss(ctx, t)
	}
	d.replace(ctx, next, slots, told)
	return nil
}

// replace puts slots of next in the place of those that are live.
func (d *Deployment) replace(ctx context.Context, next *Plugin, slots map[*Seat]*Slot, told func(string)) {
	told("switch")
	old := d.Live()
	d.expect(old, next)
	d.change(func(s *Seat, now crew) crew {
		c := crew{live: slots[s]}
		if s.stage == message.StageBatchers {
			c.old = now.live
		}
		return c
	})
	d.mu.Lock()
	d.live, d.trial = next, nil
	d.mu.Unlock()
	told("drain")
	d.drain(ctx)
	d.expect(next)
	d.retire(ctx, old)
}

// Stop says that the pipeline ends: nobody waits any more for an old version to
// end what it has begun.
func (d *Deployment) Stop() { d.stop.Do(func() { close(d.stopped) }) }

// drain has the version before end what it has begun, and lets it go. Nothing but
// Stop makes that shorter: whoever wanted the change has it.
func (d *Deployment) drain(ctx context.Context) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
	defer cancel()
	go func() {
		select {
		case <-d.stopped:
			cancel()
		case <-limited.Done():
		}
	}()
	if err := d.options.Flush(limited); errors.Is(err, context.DeadlineExceeded) {
		d.options.Logger.Warn("the version before has not ended its batches in time; the live one gets what is left", "wait", drainLimit)
	}
	d.change(func(_ *Seat, now crew) crew {
		now.old = nil
		return now
	})
}

// retire closes a version that nobody uses any more.
func (d *Deployment) retire(ctx context.Context, p *Plugin) {
	if err := p.Close(context.WithoutCancel(ctx)); err != nil {
		d.options.Logger.Warn("a version was not closed in order", "digest", p.digest[:12], "error", err)
	}
}

func (d *Deployment) seated() []*Seat {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.seats)
}

// change gives every seat a new crew, one after the other, and closes the slots
// that are needed no more.
func (d *Deployment) change(to func(s *Seat, now crew) crew) {
	for _, s := range d.seated() {
		for _, slot := range s.change(to) {
			if err := slot.Close(s.ctx); err != nil {
				d.options.Logger.Warn("teardown failed", "digest", slot.plugin.digest[:12], "error", err)
			}
		}
	}
}

// warm makes a slot of next for every seat, with its instance and a spare.
func (d *Deployment) warm(ctx context.Context, next *Plugin) (map[*Seat]*Slot, error) {
	seats := d.seated()
	slots := make(map[*Seat]*Slot, len(seats))
	for _, s := range seats {
		slot, err := s.slot(next)
		if err == nil && slot != nil {
			slots[s] = slot
			err = d.spare(ctx, slot)
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, errors.Join(err, closeAll(slots))
		}
	}
	return slots, nil
}

// spare gives a slot a spare, and leaves the messages time meanwhile.
func (d *Deployment) spare(ctx context.Context, s *Slot) error {
	began := time.Now()
	instance, f := s.newInstance()
	if f != nil {
		return fmt.Errorf("start plugin %s: %s", s.plugin.name, f.reason)
	}
	s.spares = append(s.spares, readySpare(instance))
	if d.Busy() {
		limited, cancel := context.WithTimeout(ctx, min(2*politeness*time.Since(began), time.Second)) // it and the slot's own instance
		defer cancel()
		<-limited.Done()
	}
	return nil
}

// politeness is how many times as long as the machine was used it is left alone
// while messages wait.
const politeness = 4

func closeAll(slots map[*Seat]*Slot) error {
	var errs []error
	for s, slot := range slots {
		if slot == nil {
			continue
		}
		errs = append(errs, slot.Close(s.ctx))
	}
	return errors.Join(errs...)
}

// Close closes all versions. The seats must have been closed, and no change may
// be under way.
func (d *Deployment) Close(ctx context.Context) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	d.idle.end()
	var errs []error
	if t := d.trial; t != nil {
		t.stop()
		errs = append(errs, t.candidate.Close(ctx))
	}
	return errors.Join(append(errs, d.live.Close(ctx))...)
}

// slot makes a slot of a version for the seat; nil if it would never be called.
func (s *Seat) slot(p *Plugin) (*Slot, error) {
	if s.needs(p) {
		return p.NewSlot(s.ctx)
	}
	return nil, nil
}

func (s *Seat) needs(p *Plugin) bool { return s.stage != message.StageFailures || p.fails }

func (p *Plugin) findCalls() {
	p.prepares, p.fails = p.Exports(abi.ExportPrepare), p.Exports(abi.ExportFailed)
}
