package plugin_test

import (
	"testing"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// Whatever a call is about has the digest of the version that it was made to,
// however it ends.
func TestVersionThatHandled(t *testing.T) {
	file := operator(t)
	slot, _ := start(t, file)
	want := plugin.Digest(file)
	for name, cmd := range map[string]byte{"ok": cmdCount, "trap": cmdTrap} {
		m := order(cmd)
		slot.HandleMessage(m)
		chunk := []*message.Message{order(cmd)}
		slot.PrepareMessages(chunk)
		batch := &message.Batch{Messages: []*message.Message{order(cmd)}}
		slot.HandleBatch(batch)
		failed := failures([]*message.Message{order(cmd)})
		slot.HandleFailed(failed)
		for call, got := range map[string]string{
			"handle_message": m.Plugin, "prepare_messages": chunk[0].Plugin,
			"handle_batch": batch.Plugin, "handle_failed": failed[0].Plugin,
		} {
			if got != want {
				t.Errorf("%s, %s: handled by %q, want %q", call, name, got, want)
			}
		}
		if failed[0].Message.Plugin != "" {
			t.Errorf("%s: handle_failed says that it handled the message", name)
		}
	}
	// One that was interrupted handles nothing more, and says who did not.
	slot.Interrupt()
	m := order(cmdCount)
	if p := slot.HandleMessage(m); m.Plugin != want {
		t.Errorf("%v: handled by %q, want %q", p.Outcome, m.Plugin, want)
	}
}
