package main

import (
	"context"
	"errors"
	"strings"

	"github.com/relayhost/relayhost/bench/flow"
	"github.com/relayhost/relayhost/bench/guests"
)

// growth measures how pipelines bear more of something: bar 5's curves.
func (b *bench) growth(ctx context.Context) error {
	return errors.Join(b.keys(ctx), b.payloads(ctx), b.pipelines(ctx))
}

// grow measures a shape for each x.
func (b *bench) grow(ctx context.Context, c curve, xs []int, shape func(x int) flow.Shape) error {
	var shapes []flow.Shape
	for _, x := range xs {
		shapes = append(shapes, shape(x))
	}
	all, err := turns(ctx, b.flowRounds(), b.length/2, shapes...)
	if err != nil {
		return err
	}
	for i, x := range xs {
		c.Points = append(c.Points, point{float64(x), middle(all[i]).Rate})
	}
	b.results.Curves = append(b.results.Curves, c)
	return nil
}

func (b *bench) keys(ctx context.Context) error {
	return b.grow(ctx, curve{Name: "batch-keys", Title: "More batch keys", X: "batch keys", Y: "events/s"}, []int{1, 10, 100, 300, 1000, 3000, 10_000},
		func(x int) flow.Shape { return flow.Shape{Module: guests.C, MaxDemand: demand, Keys: x} })
}

func (b *bench) payloads(ctx context.Context) error {
	return b.grow(ctx, curve{Name: "payload", Title: "Larger events", X: "bytes of an event's data", Y: "events/s"}, []int{100, 1000, 10_000, 100_000},
		func(x int) flow.Shape { return flow.Shape{Module: guests.C, MaxDemand: demand, Data: payload(x)} })
}

// payload is data of some size, with the name at its end.
func payload(size int) string {
	const head, tail = `{"text":"`, `","person":{"first_name":"Hildegard"}}`
	return head + strings.Repeat("x", max(0, size-len(head)-len(tail))) + tail
}

func (b *bench) pipelines(ctx context.Context) error {
	return b.grow(ctx, curve{Name: "pipelines", Title: "More pipelines", X: "pipelines at a time", Y: "events/s together"}, []int{1, 10, 100, 1000},
		func(x int) flow.Shape { return flow.Shape{Module: guests.C, Pipelines: x} })
}
