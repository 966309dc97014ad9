package plugin

import (
	"cmp"
	"fmt"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
)

func parseConfigured(output []byte) *fault {
	r, f := parseSingle(abi.ExportConfigure, output, refuseOutput)
	if f == nil && r.Status != abi.StatusOK {
		f = &fault{kind: message.Handler, reason: abi.ExportConfigure + ": " + reason(&r)}
	}
	return f
}

// parseSingle reads an output that is one MessageResult, and calls each for
// what goes on in a message's place.
func parseSingle(export string, output []byte, each func(abi.Output) error) (abi.MessageResult, *fault) {
	r, err := abi.WalkMessageResult(output, each)
	if err != nil {
		return r, breach("the output of %s: %v", export, err)
	}
	if r.Index != 0 {
		return r, breach("the output of %s has index %d, want 0", export, r.Index)
	}
	return r, nil
}

func outcome(r *abi.MessageResult) message.Outcome {
	if r.Status == abi.StatusOK {
		return message.Outcome{}
	}
	return message.Outcome{Kind: message.Handler, Reason: reason(r), Retryable: r.Retryable}
}

func reason(r *abi.MessageResult) string {
	return cmp.Or(printable(r.Reason, maxReason), "the plugin gave no reason")
}

// batchOutput is a slot's memory for the results of a batch: they are valid
// until the next one.
type batchOutput struct {
	positions
	most     int // records
	frame    []byte
	outcomes []message.Outcome
	records  []message.Record
}

// maxKept is the longest frame whose memory is kept for the next batch.
const maxKept = 1 << 20

var missing = message.Failed(message.Missing, "handle_batch returned no result for the message")

// parse reads the output of handle_batch for n messages.
func (o *batchOutput) parse(output []byte, n, records int) (message.BatchResult, *fault) {
	o.most = records
	o.reset(output, n)
	err := abi.WalkBatchResult(o.frame, o.result, o.record)
	if err != nil {
		return message.BatchResult{}, breach("the output of handle_batch: %v", err)
	}
	return message.BatchResult{Outcomes: o.outcomes, Records: o.records}, nil
}

// reset copies the frame, since the instance's memory is the guest's, and
// takes every message for missing.
func (o *batchOutput) reset(output []byte, n int) {
	if cap(o.frame) > maxKept {
		o.frame = nil
	}
	o.frame = append(o.frame[:0], output...)
	o.positions.reset(n)
	o.outcomes = o.outcomes[:0]
	for range n {
		o.outcomes = append(o.outcomes, missing)
	}
	clear(o.records)
	o.records = o.records[:0]
}

func (o *batchOutput) result(r abi.MessageResult) error {
	if err := o.take(r.Index); err != nil {
		return err
	}
	o.outcomes[r.Index] = outcome(&r)
	o.outcomes[r.Index].Action = message.OnFailure(r.OnFailure)
	return nil
}

func (o *batchOutput) record(r abi.Record) error {
	if len(o.records) == o.most {
		return fmt.Errorf("there are more than %d records", o.most)
	}
	o.records = append(o.records, message.Record{Data: r.Data})
	return nil
}
