package plugin_test

import (
	"testing"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/plugins"
)

// FuzzResult: whatever a guest returns, the host gives each message an outcome,
// and the next message is handled.
func FuzzResult(f *testing.F) {
	f.Add("", uint64(0))
	f.Add("\x10\x01\x1a\x02no", packed(0xfffffff0, 0x20))
	f.Add("\x0a\x02\x08\x01\x12\x03\x0a\x01r", packed(65536, 1<<31))
	slot, _ := start(f, module(f, "puppet"))
	f.Fuzz(func(t *testing.T, output string, raw uint64) {
		output = output[:min(len(output), 100)]
		for _, o := range []*message.Message{order(cmdEcho, output), order(cmdRaw, raw)} {
			slot.HandleMessage(o)
			b := &message.Batch{Messages: []*message.Message{o, order(cmdCount)}}
			if got := slot.HandleBatch(b); len(got.Outcomes) != 2 {
				t.Errorf("%d outcomes for 2 messages", len(got.Outcomes))
			}
		}
		if got := slot.HandleMessage(order(cmdCount)); len(got.Data) != 1 {
			t.Errorf("the next message: %+v", got)
		}
	})
}

func BenchmarkHandleMessage(b *testing.B) {
	for name, file := range map[string][]byte{"wat": module(b, "puppet"), "go": plugins.Upcase} {
		b.Run(name, func(b *testing.B) {
			slot, _ := start(b, file)
			m := order(cmdEcho, "\x2a\x04BILL")
			if name == "go" {
				m = event(b, `{"person": {"first_name": "Bill", "last_name": "Roberts", "twitter_url": "https://twitter.com/billroberts", "uuid": "7ea8e8b4-8b5e-4c9e-a6b1-3f0a3a2f6a01"}}`)
			}
			b.ReportAllocs()
			for b.Loop() {
				if p := slot.HandleMessage(m); string(p.Data) != "BILL" {
					b.Fatalf("got %+v", p)
				}
			}
		})
	}
}
