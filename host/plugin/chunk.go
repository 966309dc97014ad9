package plugin

import (
	"fmt"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
)

// PrepareMessages calls prepare_messages with a chunk, which must be exported
// (see [Plugin.Exports]). It returns a patch for each message, by position,
// valid until the next call. Whatever goes wrong is in the patches' outcomes:
// where the call failed as a whole, in all of them alike.
func (s *Slot) PrepareMessages(messages []*message.Message) []message.Patch {
	n := len(messages)
	for _, m := range messages {
		m.Plugin = s.plugin.digest
	}
	if f := s.acquire(); f != nil {
		return s.patches.failAll(n, f.outcome())
	}
	f := s.prepareMessages(messages)
	if s.release(f); f != nil {
		return s.patches.failAll(n, f.outcome())
	}
	if left := s.patches.left; left > 0 {
		reason := fmt.Sprintf("prepare_messages returned no result for %d of the chunk's %d messages", left, n)
		return s.patches.failAll(n, message.Failed(message.Missing, reason))
	}
	return s.patches.items
}

func (s *Slot) prepareMessages(messages []*message.Message) *fault {
	chunk := message.Batch{Messages: messages}
	s.fillBatch(&chunk)
	output, f := s.callBatch(abi.ExportPrepare, s.instance.prepareMessages, batchName(&chunk))
	if f != nil {
		return f
	}
	return s.patches.parse(output, len(messages))
}

// patchList is a slot's memory for the results of a chunk.
type patchList struct {
	positions
	reader patchReader
	items  []message.Patch
}

func (l *patchList) failAll(n int, o message.Outcome) []message.Patch {
	l.clear(n)
	for i := range l.items {
		l.items[i].Outcome = o
	}
	return l.items
}

func (l *patchList) clear(n int) {
	clear(l.items)
	if cap(l.items) < n {
		l.items = make([]message.Patch, n)
	}
	l.items = l.items[:n]
}

// parse reads the output of prepare_messages for n messages.
func (l *patchList) parse(output []byte, n int) *fault {
	l.reset(n)
	l.clear(n)
	if err := abi.WalkBatchResult(output, l.result, refuseRecord); err != nil {
		return breach("the output of prepare_messages: %v", err)
	}
	return nil
}

func (l *patchList) result(v abi.ResultView) error {
	if err := l.take(v.Index); err != nil {
		return err
	}
	if err := l.reader.patch(&v, &l.items[v.Index]); err != nil {
		return fmt.Errorf("index %d: %w", v.Index, err)
	}
	return nil
}
