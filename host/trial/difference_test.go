package trial_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/trial"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

func TestAckDifferences(t *testing.T) {
	ok := trial.Ack{Settled: true, Attempts: 1, Batcher: "default"}
	failed := trial.Ack{Settled: true, Attempts: 1, Outcome: message.Failed(message.Handler, "no")}
	change := func(a trial.Ack, change func(*trial.Ack)) trial.Ack { change(&a); return a }
	trapped := func(reason string) trial.Ack {
		return change(failed, func(a *trial.Ack) { a.Outcome = message.Failed(message.Trap, reason) })
	}
	outputs := func(data string) trial.Ack {
		return change(ok, func(a *trial.Ack) { a.Outputs = []message.Output{{Data: []byte(data)}} })
	}
	for name, c := range map[string]struct {
		a, b trial.Ack
		want []trial.Field
	}{
		"same":           {ok, ok, nil},
		"fuel and time":  {ok, change(ok, func(a *trial.Ack) { a.Fuel, a.Took = 1000, 5 }), nil},
		"outcome":        {ok, change(failed, func(a *trial.Ack) { a.Attempts = 3 }), []trial.Field{trial.FieldOutcome}},
		"unsettled":      {failed, change(failed, func(a *trial.Ack) { a.Settled = false }), []trial.Field{trial.FieldOutcome}},
		"kind":           {failed, trapped("no"), []trial.Field{trial.FieldOutcome}},
		"reason":         {failed, change(failed, func(a *trial.Ack) { a.Outcome.Reason = "nope" }), []trial.Field{trial.FieldReason}},
		"place of trap":  {trapped("unreachable in $7"), trapped("unreachable in $8"), nil},
		"another trap":   {trapped("unreachable in $7"), trapped("divide by zero in $7"), []trial.Field{trial.FieldReason}},
		"retryable":      {failed, change(failed, func(a *trial.Ack) { a.Outcome.Retryable = true }), []trial.Field{trial.FieldRetryable}},
		"on_failure":     {failed, change(failed, func(a *trial.Ack) { a.Outcome.Action = message.Drop }), []trial.Field{trial.FieldOnFailure}},
		"attempts":       {ok, change(ok, func(a *trial.Ack) { a.Attempts = 2 }), []trial.Field{trial.FieldAttempts}},
		"data":           {ok, change(ok, func(a *trial.Ack) { a.Data = []byte("x") }), []trial.Field{trial.FieldData}},
		"empty data":     {ok, change(ok, func(a *trial.Ack) { a.Data = []byte{} }), []trial.Field{trial.FieldData}},
		"outputs":        {outputs("x"), outputs("y"), []trial.Field{trial.FieldOutputs}},
		"same outputs":   {outputs("x"), outputs("x"), nil},
		"several fields": {ok, change(ok, func(a *trial.Ack) { a.Batcher, a.BatchKey, a.Flush = "b", "k", true }), []trial.Field{trial.FieldBatcher, trial.FieldBatchKey, trial.FieldFlush}},
	} {
		if got := c.a.Differences(&c.b); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if got := c.b.Differences(&c.a); !slices.Equal(got, c.want) {
			t.Errorf("%s, the other way: %v, want %v", name, got, c.want)
		}
	}
}

func TestBatchDifferences(t *testing.T) {
	a := trial.Batch{Batcher: "default", Events: []int{1, 2}, Records: [][]byte{[]byte("x")}}
	b, c, d := a, a, a
	b.Records, b.Fuel = [][]byte{[]byte("y")}, 7
	c.Failed, c.Records = 2, nil
	d.Events = []int{1, 2, 3}
	if !a.SameEvents(&b) || a.SameEvents(&d) {
		t.Error("batches are told apart by something else than their events")
	}
	if got := a.Differences(&b); !slices.Equal(got, []trial.Field{trial.FieldRecords}) {
		t.Error(got)
	}
	if got := a.Differences(&c); !slices.Equal(got, []trial.Field{trial.FieldFailed, trial.FieldRecords}) {
		t.Error(got)
	}
}

// Several pipelines can have the same messages, which stay as the source has
// brought them.
func TestRunMessages(t *testing.T) {
	messages, err := trial.Messages([]*pb.Event{person("Bill"), nobody()})
	if err != nil {
		t.Fatal(err)
	}
	event := bytes.Clone(messages[0].Event)
	p := start(t, pipeline.Config{})
	for range 2 {
		acks, _, err := p.RunMessages(t.Context(), messages)
		if err != nil || len(acks) != 2 || string(acks[0].Data) != "BILL" || acks[1].OK() {
			t.Errorf("%+v, %v", acks, err)
		}
	}
	if m := messages[0]; m.Settled() || m.Data != nil || m.Sequence != 0 || !bytes.Equal(m.Event, event) {
		t.Errorf("the message has become %+v", m)
	}
	if acks, batches, err := p.RunMessages(t.Context(), nil); len(acks)+len(batches) > 0 || err != nil {
		t.Error(acks, batches, err)
	}
}
