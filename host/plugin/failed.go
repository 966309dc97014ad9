package plugin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
)

// HandleFailed calls handle_failed, which must be exported (see
// [Plugin.Exports]), with messages that failed for good: each as its source
// sent it, and why it failed. It returns for each, by position, what shall
// become of it, valid until the next call. If the call itself failed, the
// outcome says why, and the call had no say about any.
func (s *Slot) HandleFailed(failures []message.Failure) ([]message.OnFailure, message.Outcome) {
	for i := range failures {
		failures[i].Plugin = s.plugin.digest
	}
	if f := s.acquire(); f != nil {
		return s.actions.none(len(failures)), f.outcome()
	}
	f := s.handleFailed(failures)
	if s.release(f); f != nil {
		return s.actions.none(len(failures)), f.outcome()
	}
	return s.actions.items, message.Outcome{}
}

func (s *Slot) handleFailed(failures []message.Failure) *fault {
	output, f := s.callBatch(abi.ExportFailed, s.instance.handleFailed, s.fillFailures(failures))
	if f != nil {
		return f
	}
	return s.actions.parse(output, len(failures))
}

// fillFailures returns the batch's name as well.
func (s *Slot) fillFailures(failures []message.Failure) (name string) {
	s.batch = abi.Batch{Messages: s.batch.Messages[:0]}
	for i := range failures {
		m, o := failures[i].Message, &failures[i].Outcome
		if i == 0 {
			name = m.ID
		}
		s.batch.Messages = append(s.batch.Messages, abi.Message{
			Event: m.Event, Attempt: m.Attempt,
			FailureKind: o.Kind.String(), FailureReason: strings.ToValidUTF8(o.Reason, "\uFFFD"),
		})
	}
	return name
}

// actionList is a slot's memory for the results of handle_failed.
type actionList struct {
	positions
	items []message.OnFailure
}

func (l *actionList) none(n int) []message.OnFailure {
	if cap(l.items) < n {
		l.items = make([]message.OnFailure, n)
	}
	l.items = l.items[:n]
	clear(l.items)
	return l.items
}

// parse reads the output of handle_failed for n messages.
func (l *actionList) parse(output []byte, n int) *fault {
	l.reset(n)
	l.none(n)
	if err := abi.WalkBatchResult(output, l.result, refuseRecord); err != nil {
		return breach("the output of handle_failed: %v", err)
	}
	return nil
}

func (l *actionList) result(v abi.ResultView) error {
	if err := l.take(v.Index); err != nil {
		return err
	}
	if v.Status != abi.StatusOK {
		return fmt.Errorf("index %d has failed, and it had failed before", v.Index)
	}
	l.items[v.Index] = message.OnFailure(v.OnFailure)
	return nil
}

func refuseRecord(abi.Record) error { return errors.New("only handle_batch may return records") }
