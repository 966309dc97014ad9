package plugin

import (
	"cmp"
	"fmt"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
)

func parseConfigured(output []byte) *fault {
	var v abi.ResultView
	f := parseSingle(abi.ExportConfigure, output, &v, refuseOutput)
	if f == nil && v.Status != abi.StatusOK {
		f = &fault{kind: message.Handler, reason: abi.ExportConfigure + ": " + reason(&v)}
	}
	return f
}

// parseSingle reads an output that is one MessageResult, and calls each for
// what goes on in a message's place.
func parseSingle(export string, output []byte, v *abi.ResultView, each func(abi.Changes) error) *fault {
	if err := v.Read(output, each); err != nil {
		return breach("the output of %s: %v", export, err)
	}
	if v.Index != 0 {
		return breach("the output of %s has index %d, want 0", export, v.Index)
	}
	return nil
}

func outcome(v *abi.ResultView) message.Outcome {
	if v.Status == abi.StatusOK {
		return message.Outcome{}
	}
	return message.Outcome{Kind: message.Handler, Reason: reason(v), Retryable: v.Retryable}
}

func reason(v *abi.ResultView) string {
	return cmp.Or(printable(v.Reason, maxReason), "the plugin gave no reason")
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

func (o *batchOutput) result(v abi.ResultView) error {
	if err := o.take(v.Index); err != nil {
		return err
	}
	o.outcomes[v.Index] = outcome(&v)
	o.outcomes[v.Index].Action = message.OnFailure(v.OnFailure)
	return nil
}

func (o *batchOutput) record(r abi.Record) error {
	if len(o.records) == o.most {
		return fmt.Errorf("there are more than %d records", o.most)
	}
	o.records = append(o.records, message.Record{Data: r.Data})
	return nil
}
