package pipeline

import (
	"context"
	"slices"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// canUnlock reports whether the source can have messages delivered anew.
func (p *Pipeline) canUnlock() bool {
	return p.unlocker != nil && p.unlocker.source.CanUnlock()
}

// unlocker has the source deliver messages anew.
type unlocker struct {
	pipeline *Pipeline
	source   Unlocker
	inbox    *inbox[message.Failure]
}

// take takes on those that are to be unlocked, and returns the others.
func (s *unlocker) take(ended []message.Failure) []message.Failure {
	wanted := func(f message.Failure) bool { return !f.Outcome.OK() && f.Outcome.Action == message.Unlock }
	if !slices.ContainsFunc(ended, wanted) {
		return ended
	}
	var others []message.Failure
	for _, f := range ended {
		if wanted(f) {
			s.pipeline.working.Add(1)
			s.inbox.put(f)
		} else {
			others = append(others, f)
		}
	}
	return others
}

func (s *unlocker) run(work context.Context) {
	for {
		group := s.inbox.take(work, nil)
		if group == nil || !s.rest(work) {
			return
		}
		s.unlock(work, group)
	}
}

// rest keeps a message that fails every time from going round at full speed. It
// reports false if work is over.
func (s *unlocker) rest(work context.Context) bool {
	timer := time.NewTimer(s.pipeline.config.Failures.Retry.wait(1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-work.Done():
		return false
	}
}

// unlock settles the messages only when the source has them back; those that it
// does not take become what is exhausted.
func (s *unlocker) unlock(work context.Context, group []message.Failure) {
	messages := make([]*message.Message, len(group))
	for i, f := range group {
		messages[i] = f.Message
	}
	if err := s.source.Unlock(work, messages); err != nil {
		s.pipeline.log.Error("messages could not be unlocked", "messages", len(messages), "error", err)
		for i := range group {
			group[i].Outcome.Action = s.pipeline.config.Failures.Retry.Exhausted
		}
	}
	s.pipeline.settleNow(group)
	s.pipeline.worked(len(group))
}
