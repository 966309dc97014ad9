package call

import (
	"context"
	"errors"

	"github.com/relayhost/relayhost/bench/guests"
)

// The sides of [Sides], by their places.
const (
	SlotC = iota
	FloorC
	SlotGo
	FloorGo
	CloseC
	CloseGo
	ExtismC
	NativeGo
	MeteredC
	MeteredGo
	sides
)

// Sides makes all of them.
func Sides(ctx context.Context) (all []Side, err error) {
	makers := [sides]func() (Side, error){
		SlotC:     func() (Side, error) { return Slot(ctx, "relayhost, C", guests.C) },
		FloorC:    func() (Side, error) { return Floor(ctx, "raw floor, C", guests.C) },
		SlotGo:    func() (Side, error) { return Slot(ctx, "relayhost, Go", guests.Go) },
		FloorGo:   func() (Side, error) { return Floor(ctx, "raw floor, Go", guests.Go) },
		CloseC:    func() (Side, error) { return CloseOnContextDone(ctx, "CloseOnContextDone, C", guests.C) },
		CloseGo:   func() (Side, error) { return CloseOnContextDone(ctx, "CloseOnContextDone, Go", guests.Go) },
		ExtismC:   func() (Side, error) { return Extism(ctx, "Extism, C", guests.Extism) },
		NativeGo:  func() (Side, error) { return Native(), nil },
		MeteredC:  func() (Side, error) { return Metered(ctx, "metered floor, C", guests.C) },
		MeteredGo: func() (Side, error) { return Metered(ctx, "metered floor, Go", guests.Go) },
	}
	for _, make := range makers {
		side, err := make()
		if err != nil {
			return nil, errors.Join(err, Close(all))
		}
		all = append(all, side)
	}
	return all, nil
}

// Close gives back what sides have.
func Close(all []Side) (err error) {
	for _, side := range all {
		err = errors.Join(err, side.Close())
	}
	return err
}
