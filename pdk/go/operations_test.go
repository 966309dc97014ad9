package relay_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/proto/eventrelay"
)

func eventOf(t testing.TB, name, data string) *message.Message {
	t.Helper()
	b, err := proto.Marshal(&eventrelay.Event{Id: name, Name: name, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	return &message.Message{ID: name, Event: b, Attempt: 3}
}

// A module has the exports of the packages that it imports.
func TestExportsFollowImports(t *testing.T) {
	for name, want := range map[string]bool{"operations": true, "jsonguest": false} {
		loaded := build(t, name)
		for _, export := range []string{abi.ExportPrepare, abi.ExportFailed} {
			if got := loaded.Exports(export); got != want {
				t.Errorf("%s exports %s: %v", name, export, got)
			}
		}
	}
}

// Every operation of the kit, from a real guest.
func TestOperations(t *testing.T) {
	slot := guest(t, "operations")
	chunk := []*message.Message{eventOf(t, "a", "x"), eventOf(t, "b", "y,z"), eventOf(t, "fail", "")}
	for i, p := range slot.PrepareMessages(chunk) {
		chunk[i].Apply(&p)
	}
	if got := string(chunk[1].Data); got != "1,y,z" {
		t.Errorf("prepared %q", got)
	}
	output := func(text string) message.Output {
		return message.Output{Data: []byte(text), SetBatcher: true, Batcher: "parts", SetBatchKey: true, BatchKey: text}
	}
	want := message.Patch{OnFailure: message.DeadLetter, Outputs: []message.Output{output("1"), output("y"), output("z")}}
	if diff := cmp.Diff(want, slot.HandleMessage(chunk[1])); diff != "" {
		t.Error(diff)
	}
	want = message.Patch{
		Outcome:   message.Outcome{Kind: message.Handler, Reason: "attempt 3", Retryable: true},
		OnFailure: message.DeadLetter,
	}
	if diff := cmp.Diff(want, slot.HandleMessage(chunk[2])); diff != "" {
		t.Error(diff)
	}
	batch := slot.HandleBatch(&message.Batch{Partition: 300, Messages: chunk[:1]})
	if len(batch.Records) != 1 || string(batch.Records[0].Data) != "partition 300" || !batch.Outcomes[0].OK() {
		t.Errorf("batch %+v", batch)
	}
	actions, o := slot.HandleFailed([]message.Failure{
		{Message: chunk[0], Outcome: message.Failed(message.Deadline, "too long")},
		{Message: chunk[2], Outcome: want.Outcome},
		{Message: &message.Message{Event: []byte("\x0b")}, Outcome: want.Outcome},
	})
	if !o.OK() || !slices.Equal(actions, []message.OnFailure{message.AsConfigured, message.Drop, message.AsConfigured}) {
		t.Errorf("actions %v, %+v", actions, o)
	}
}

// A panic in the handler of a chunk fails all of it, and no more.
func TestPreparePanics(t *testing.T) {
	slot := guest(t, "operations")
	for i, p := range slot.PrepareMessages([]*message.Message{eventOf(t, "a", ""), eventOf(t, "panic", "")}) {
		if p.Kind != message.Exit && p.Kind != message.Trap {
			t.Errorf("message %d: %+v", i, p)
		}
	}
	if got := slot.PrepareMessages([]*message.Message{eventOf(t, "a", "")}); !got[0].OK() || string(got[0].Data) != "0," {
		t.Errorf("after it: %+v", got)
	}
}
