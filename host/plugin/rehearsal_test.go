package plugin_test

import (
	"testing"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// A rehearsal is as a pipeline is: what prepare_messages fails is a failure, also
// if handle_message would not mind.
func TestRehearsalPrepares(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	for _, c := range []struct {
		file []byte
		want message.Kind
	}{
		{module(t, "spec"), message.OK},
		{alias(t, module(t, "spec"), abi.ExportHandleMessage, abi.ExportPrepare), message.Missing},
	} {
		p := load(t, engine, c.file, plugin.Settings{})
		outcomes, err := p.Rehearse(t.Context(), []*message.Message{{ID: "1", Event: []byte("e"), Attempt: 1}})
		if err != nil || len(outcomes) != 1 || outcomes[0].Kind != c.want {
			t.Errorf("got %+v and %v, want kind %v", outcomes, err, c.want)
		}
	}
}
