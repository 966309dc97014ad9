package plugin

import (
	"errors"
	"fmt"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
)

// patchReader makes patches of what a guest returns, and copies what messages
// keep. It is a slot's memory for that.
type patchReader struct {
	data block
	// Of the output at hand.
	most    int // how many outputs it may have
	outputs []message.Output
}

// parse reads the output of handle_message into p, which is empty.
func (r *patchReader) parse(output []byte, most int, p *message.Patch) *fault {
	if len(output) == 0 {
		return nil
	}
	r.most, r.outputs = most, nil
	var v abi.ResultView
	if f := parseSingle(abi.ExportHandleMessage, output, &v, r.output); f != nil {
		return f
	}
	if err := r.patch(&v, p); err != nil {
		return breach("the output of handle_message: %v", err)
	}
	if p.OK() {
		p.Outputs = r.outputs
	}
	return nil
}

// patch fills p with what a result says about its message. What becomes of a
// failure counts whether the message failed already or not.
func (r *patchReader) patch(v *abi.ResultView, p *message.Patch) error {
	p.OnFailure = message.OnFailure(v.OnFailure)
	if v.Status != abi.StatusOK {
		p.Outcome = outcome(v)
		return nil
	}
	return r.changes(&v.Changes, p)
}

// changes copies what a result or an output sets.
func (r *patchReader) changes(c *abi.Changes, p *message.Patch) error {
	if len(c.BatchKey) > abi.MaxBatchKey {
		return fmt.Errorf("a batch_key has %d bytes, and the limit is %d", len(c.BatchKey), abi.MaxBatchKey)
	}
	p.Data = r.data.clone(c.Data)
	if c.Batcher != nil {
		p.Batcher, p.SetBatcher = string(c.Batcher), true
	}
	if c.BatchKey != nil {
		p.BatchKey, p.SetBatchKey = string(c.BatchKey), true
	}
	p.Flush, p.SetFlush = c.BatchMode == abi.BatchModeFlush, c.SetBatchMode
	return nil
}

func (r *patchReader) output(c abi.Changes) error {
	if len(r.outputs) == r.most {
		return fmt.Errorf("there are more than %d outputs", r.most)
	}
	var p message.Patch
	if err := r.changes(&c, &p); err != nil {
		return fmt.Errorf("output %d: %w", len(r.outputs), err)
	}
	r.outputs = append(r.outputs, message.Output{
		Data: p.Data, Batcher: p.Batcher, BatchKey: p.BatchKey, Flush: p.Flush,
		SetBatcher: p.SetBatcher, SetBatchKey: p.SetBatchKey, SetFlush: p.SetFlush,
	})
	return nil
}

func refuseOutput(abi.Changes) error { return errors.New("only handle_message may return outputs") }
