package main

import (
	"context"
	"errors"

	"github.com/relayhost/relayhost/bench/call"
)

// calls measures what handling one message costs by itself: bars 1 and 4.
func (b *bench) calls(ctx context.Context) (err error) {
	sides, err := call.Sides(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, call.Close(sides)) }()
	times := call.Turns(sides, b.rounds, b.turn)
	for _, c := range []struct {
		side, to int
		bar      bar
	}{
		{call.SlotC, call.FloorC, bar{Number: 1, OfRatio: true, AtMost: 1.4}},
		{call.SlotGo, call.FloorGo, bar{Number: 1, OfRatio: true, AtMost: 1.3}},
		{call.ExtismC, call.SlotC, bar{Number: 4, OfRatio: true, AtLeast: 40}},
		{call.CloseC, call.SlotC, bar{Number: 4, OfRatio: true, AtLeast: 5}},
		{call.CloseGo, call.SlotGo, bar{Number: 4, OfRatio: true, AtLeast: 5}},
		{call.MeteredC, call.FloorC, bar{}},
		{call.MeteredGo, call.FloorGo, bar{}},
		{call.SlotC, call.MeteredC, bar{}},
		{call.SlotGo, call.MeteredGo, bar{}},
		{call.SlotC, call.NativeGo, bar{}},
		{call.SlotGo, call.NativeGo, bar{}},
	} {
		one := row{Unit: "ns/message", Bar: c.bar, Ratio: times.Ratio(c.side, c.to)}
		one.Name = sides[c.side].Name + " ÷ " + sides[c.to].Name
		one.Ours, one.Other = float64(times.Median(c.side)), float64(times.Median(c.to))
		if c.bar.AtLeast > 0 { // the other side is the one that is divided
			one.Ours, one.Other = one.Other, one.Ours
		}
		b.results.add(one)
	}
	for i, side := range sides {
		b.results.Sides = append(b.results.Sides, result{side.Name, float64(times.Median(i)), float64(times.Min(i)), call.Allocations(side)})
	}
	b.results.add(row{
		Name: "allocations in the handler call, C", Unit: "allocs/message", Ours: b.results.Sides[call.SlotC].Allocations,
		Other: b.results.Sides[call.FloorC].Allocations, Bar: bar{Number: 1, AtMost: 0.01}, Note: "other: the raw floor, which copies each output",
	})
	return nil
}
