package plugin

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
)

// parsePatch reads the output of handle_message and copies what the message
// keeps; most is how many outputs it may have.
func parsePatch(output []byte, most int) (message.Patch, *fault) {
	if len(output) == 0 {
		return message.Patch{}, nil
	}
	outputs := outputList{most: most}
	r, f := parseSingle(abi.ExportHandleMessage, output, outputs.add)
	if f != nil {
		return message.Patch{}, f
	}
	p, err := patch(&r)
	if err != nil {
		return message.Patch{}, breach("the output of handle_message: %v", err)
	}
	if p.OK() {
		p.Outputs = outputs.items
	}
	return p, nil
}

// patch is what a result says about its message. What becomes of a failure
// counts whether the message failed already or not.
func patch(r *abi.MessageResult) (message.Patch, error) {
	p := message.Patch{Outcome: outcome(r), OnFailure: message.OnFailure(r.OnFailure)}
	if !p.OK() {
		return p, nil
	}
	c, err := changes(abi.Output{Data: r.Data, Batcher: r.Batcher, BatchKey: r.BatchKey, BatchMode: r.BatchMode})
	p.Data, p.Batcher, p.BatchKey, p.Flush = c.Data, c.Batcher, c.BatchKey, c.Flush
	p.SetBatcher, p.SetBatchKey, p.SetFlush = c.SetBatcher, c.SetBatchKey, c.SetFlush
	return p, err
}

// changes copies what an output sets.
func changes(o abi.Output) (c message.Output, err error) {
	c.Data = bytes.Clone(o.Data)
	if c.SetBatcher = o.Batcher != nil; c.SetBatcher {
		c.Batcher = *o.Batcher
	}
	if c.SetBatchKey = o.BatchKey != nil; c.SetBatchKey {
		c.BatchKey = *o.BatchKey
	}
	if c.SetFlush = o.BatchMode != nil; c.SetFlush {
		c.Flush = *o.BatchMode == abi.BatchModeFlush
	}
	if len(c.BatchKey) > abi.MaxBatchKey {
		err = fmt.Errorf("a batch_key has %d bytes, and the limit is %d", len(c.BatchKey), abi.MaxBatchKey)
	}
	return c, err
}

// outputList collects outputs.
type outputList struct {
	most  int
	items []message.Output
}

func (l *outputList) add(o abi.Output) error {
	if len(l.items) == l.most {
		return fmt.Errorf("there are more than %d outputs", l.most)
	}
	c, err := changes(o)
	if err != nil {
		return fmt.Errorf("output %d: %w", len(l.items), err)
	}
	l.items = append(l.items, c)
	return nil
}

func refuseOutput(abi.Output) error { return errors.New("only handle_message may return outputs") }
