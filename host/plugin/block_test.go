package plugin_test

import (
	"bytes"
	"testing"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
)

// The data of one message is no other's, though many lie beside each other: not
// where they are small, large or empty, nor where someone appends to one.
func TestDataIsTheMessages(t *testing.T) {
	slot, _ := start(t, operator(t))
	var want, got [][]byte
	keep := func(p *message.Patch, data []byte) {
		if p.Data == nil || !p.OK() {
			t.Fatalf("got %+v for %d bytes", p, len(data))
		}
		_ = append(p.Data, "what somebody appends"...)
		want, got = append(want, data), append(got, p.Data)
	}
	for n := range 200 {
		data := bytes.Repeat([]byte{byte(n)}, []int{0, 1, 100, 4 << 10, 4<<10 + 1, 20 << 10}[n%6])
		other := bytes.Repeat([]byte{byte(n + 1)}, n%100)
		patch := slot.HandleMessage(long(frame(abi.MessageResult{Data: data, Outputs: []abi.Output{{Data: other}}})))
		keep(&patch, data)
		keep(&message.Patch{Data: patch.Outputs[0].Data}, other)
		prepared := slot.PrepareMessages([]*message.Message{order(cmdEcho, string(results(abi.MessageResult{Data: other}).Append(nil)))})
		keep(&prepared[0], other)
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("data %d of %d bytes has become %.20q...", i, len(want[i]), got[i])
		}
	}
}

// A guest that fails leaves no data behind, and that of messages before stays.
func TestDataOutlivesTheInstance(t *testing.T) {
	slot, _ := start(t, module(t, "puppet"))
	kept := slot.HandleMessage(order(cmdEcho, frame(abi.MessageResult{Data: []byte("kept")})))
	for range 3 {
		for _, o := range []*message.Message{order(cmdTrap), order(cmdEcho, frame(abi.MessageResult{Data: []byte("lost"), Index: 1}))} {
			if got := slot.HandleMessage(o); got.OK() || got.Data != nil {
				t.Errorf("got %+v", got)
			}
		}
	}
	if string(kept.Data) != "kept" {
		t.Errorf("it has become %q", kept.Data)
	}
}
