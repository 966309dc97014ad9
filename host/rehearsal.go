package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/relayhost/relayhost/host/eventjson"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/trial"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// rehearse tries a version on its own examples, all of which it must handle, and
// on recent events, none of which may cost it its instance.
func rehearse(ctx context.Context, p *plugin.Plugin, file []byte, recent []*message.Message) error {
	examples, err := examplesOf(file)
	if err != nil {
		return err
	}
	messages := slices.Concat(examples, recent)
	outcomes, err := p.Rehearse(ctx, messages)
	if err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	handled := 0
	for i, o := range outcomes {
		switch {
		case o.OK():
			handled++
		case i < len(examples):
			return fmt.Errorf("it fails its own example %d, event %q: %s: %s", i+1, messages[i].ID, o.Kind, o.Reason)
		case o.Kind != message.Handler:
			return fmt.Errorf("it fails the event %q, which the live version handles: %s: %s", messages[i].ID, o.Kind, o.Reason)
		}
	}
	if len(recent) > 0 && handled == len(examples) {
		o := outcomes[len(outcomes)-1]
		return fmt.Errorf("it fails all of %d recent events, which the live version handles; the last: %s", len(recent), o.Reason)
	}
	return nil
}

func examplesOf(file []byte) ([]*message.Message, error) {
	events, err := eventjson.Read[pb.Event](bytes.NewReader(plugin.Examples(file)))
	if err != nil {
		return nil, fmt.Errorf("its examples cannot be read: %w", err)
	}
	return trial.Messages(events)
}
