package pipeline

import (
	"context"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// fate is what becomes of a message that failed.
func (p *Pipeline) fate(m *message.Message, o message.Outcome) message.OnFailure {
	f := &p.config.Failures
	action := m.OnFailure
	if action == message.AsConfigured {
		action = f.OnFailure
	}
	if action == message.Retry && (!o.Retryable || int(m.Attempt) >= f.Retry.MaxAttempts) {
		action = f.Retry.Exhausted
	}
	if action == message.Unlock && !p.canUnlock() {
		action = f.Retry.Exhausted
	}
	if action == message.HaltPartition && p.config.Processors.PartitionBy == nil {
		return message.DeadLetter // a handler asked for what there is not
	}
	return action
}

// holdBack shuts the partition behind a message that is to be tried again in
// order, or halts it. It must be called before any later message of the
// partition is handled. It reports false if the message itself has to wait for
// an earlier one.
func (p *Pipeline) holdBack(m *message.Message, o message.Outcome) bool {
	action := p.fate(m, o)
	if action != message.HaltPartition && (action != message.Retry || !p.config.Failures.Retry.KeepOrder) {
		return true
	}
	held, displaced := p.gate.hold(m, action == message.HaltPartition)
	if displaced != nil && p.retrier.remove(displaced) {
		p.gate.admit(displaced)
	}
	return held
}

// end ends a group of messages that were handled together: those that failed
// may be tried again; the others settle in one call, once the plugin has seen
// those that failed for good. The group is the caller's again afterwards.
func (p *Pipeline) end(group []message.Failure) {
	if len(group) == 0 || p.halted.Load() {
		return
	}
	if allOK(group) {
		p.settleNow(group)
		return
	}
	var ended []message.Failure
	failed := false
	for _, f := range group {
		if f.Outcome.OK() {
			ended = append(ended, f)
			continue
		}
		f.Outcome.Action = p.fate(f.Message, f.Outcome)
		switch f.Outcome.Action {
		case message.Retry:
			p.tryAgain(f)
		case message.HaltPartition:
			p.halt(f)
		default:
			ended, failed = append(ended, f), true
		}
	}
	if failed && p.failed != nil && p.plugin.Callbacks().HandleFailed {
		p.working.Add(1)
		p.failed.inbox.put(ended)
		return
	}
	p.settle(ended)
}

func allOK(group []message.Failure) bool {
	for i := range group {
		if !group[i].Outcome.OK() {
			return false
		}
	}
	return true
}

func (p *Pipeline) tryAgain(f message.Failure) {
	m := f.Message
	wait := p.config.Failures.Retry.wait(m.Attempt)
	p.log.Warn("message failed and will be tried again", "event", m.ID, "kind", f.Outcome.Kind.String(),
		"reason", f.Outcome.Reason, "attempt", m.Attempt, "wait", wait, "digest", message.ShortDigest(m.Plugin))
	if o := p.config.Observer; o != nil {
		o.Retrying(m, f.Outcome, wait)
	}
	m.Attempt++
	p.retrier.add(m, wait)
}

// halt leaves a message and those behind it where they are, until
// [Pipeline.Resume] or a restart.
func (p *Pipeline) halt(f message.Failure) {
	m := f.Message
	p.log.Error("message failed and has halted its partition", "event", m.ID, "partition", m.Partition,
		"kind", f.Outcome.Kind.String(), "reason", f.Outcome.Reason, "attempt", m.Attempt, "digest", message.ShortDigest(m.Plugin))
	if o := p.config.Observer; o != nil {
		o.Halted(m, f.Outcome)
	}
	p.checkDrained()
}

// Resume has the message that halted a partition tried again, and those behind
// it after it. It reports whether the partition was halted.
func (p *Pipeline) Resume(partition string) bool {
	m := p.gate.resume(partition)
	if m == nil {
		return false
	}
	m.Attempt++
	p.again(m)
	return true
}

// failedProcessor is the slot that calls handle_failed.
type failedProcessor struct {
	pipeline *Pipeline
	handler  Handler
	exchange exchange
	inbox    *inbox[[]message.Failure]
}

func (s *failedProcessor) run(work context.Context) {
	for {
		groups := s.inbox.take(work, nil)
		if groups == nil {
			return
		}
		for _, group := range groups {
			if s.pipeline.halted.Load() {
				return
			}
			s.exchange.begin()
			s.handle(group)
			s.exchange.end()
			s.pipeline.worked(1)
		}
	}
}

// handle has the plugin see the failures of a group, and settles the group. A
// message that the plugin wants tried again is.
func (s *failedProcessor) handle(group []message.Failure) {
	var failures []message.Failure
	for _, f := range group {
		if !f.Outcome.OK() {
			failures = append(failures, f)
		}
	}
	watch := s.pipeline.watch()
	actions, o := s.handler.HandleFailed(failures)
	watch.tell(func(ob Observer, took time.Duration) { ob.FailuresHandled(failures, o, took) })
	if s.pipeline.halted.Load() {
		return
	}
	if !o.OK() {
		s.pipeline.log.Error("handle_failed failed itself", "messages", len(failures), "kind", o.Kind.String(), "reason", o.Reason,
			"digest", message.ShortDigest(failures[0].Plugin))
		s.pipeline.settle(group)
		return
	}
	s.conclude(group, actions)
}

// conclude settles a group with what handle_failed wants.
func (s *failedProcessor) conclude(group []message.Failure, actions []message.OnFailure) {
	p := s.pipeline
	settled := group[:0]
	for _, f := range group {
		if !f.Outcome.OK() {
			action := actions[0]
			actions = actions[1:]
			if p.changes(&f, action) {
				continue
			}
		}
		settled = append(settled, f)
	}
	p.settle(settled)
}

// changes reports whether a message is to be tried again or halts its partition
// after all.
func (p *Pipeline) changes(f *message.Failure, action message.OnFailure) bool {
	if action == message.AsConfigured {
		return false
	}
	f.Message.OnFailure = action
	again := f.Outcome
	again.Retryable = true
	f.Outcome.Action = p.fate(f.Message, again)
	switch f.Outcome.Action {
	case message.Retry:
		if p.holdBack(f.Message, again) {
			p.tryAgain(*f)
		}
		return true
	case message.HaltPartition:
		if p.holdBack(f.Message, again) {
			p.halt(*f)
		}
		return true
	}
	return false
}
