// Package call measures what handling one message costs by itself: relayhost's slot
// beside the raw floor, wazero's own interruption, Extism and native Go, all of them
// doing the same job. Start with [Sides].
package call

import (
	"context"
	"errors"
	"fmt"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/bench/guests"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// Side is one way to handle the message. Call panics if the answer is wrong.
type Side struct {
	Name  string
	Call  func()
	Close func() error
}

// result checks what a side has made of the message.
func result(data []byte) {
	if string(data) != guests.Upcased {
		panic(fmt.Sprintf("the guest has made %q of the message, want %q", data, guests.Upcased))
	}
}

// frame is the input of handle_message.
func frame() []byte {
	return abi.Message{Event: guests.Event(1, guests.Data), Attempt: 1}.Append(nil)
}

// Slot is relayhost as it runs: metered, with a deadline and limits.
func Slot(ctx context.Context, name string, module []byte) (Side, error) {
	engine, err := plugin.Open(ctx, plugin.Options{})
	if err != nil {
		return Side{}, err
	}
	loaded, err := engine.Load(ctx, name, module, plugin.Settings{})
	if err != nil {
		return Side{}, errors.Join(err, engine.Close(ctx))
	}
	slot, err := loaded.NewSlot(ctx)
	if err != nil {
		return Side{}, errors.Join(err, loaded.Close(ctx), engine.Close(ctx))
	}
	m := &message.Message{ID: "1", Event: guests.Event(1, guests.Data), Attempt: 1}
	return Side{
		Name: name,
		Call: func() {
			patch := slot.HandleMessage(m)
			result(patch.Data)
		},
		Close: func() error { return errors.Join(slot.Close(ctx), loaded.Close(ctx), engine.Close(ctx)) },
	}, nil
}
