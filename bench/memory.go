package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/relayhost/relayhost/bench/flow"
	"github.com/relayhost/relayhost/bench/guests"
	"github.com/relayhost/relayhost/bench/served"
)

// memory measures what stays resident: bar 7.
func (b *bench) memory(ctx context.Context) error {
	return errors.Join(b.steady(ctx), b.idling(ctx))
}

// steady watches the memory of a pipeline under full load, after a warm-up of a
// tenth of the time.
func (b *bench) steady(ctx context.Context) (err error) {
	engine, err := flow.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close(ctx)) }()
	c := curve{Name: "steady-memory", Title: "Memory under full load", X: "seconds", Y: "MiB resident"}
	done := make(chan error, 1)
	began := time.Now()
	go func() {
		_, err := engine.Run(ctx, flow.Shape{Module: guests.C, MaxDemand: demand, Slots: 2}, b.soak)
		done <- err
	}()
	const samples = 100
	for tick := time.Tick(b.soak / samples); ; <-tick {
		select {
		case err := <-done:
			b.results.Curves = append(b.results.Curves, c)
			b.results.add(drift(c, b.soak))
			return err
		default:
		}
		if rss, err := served.RSS(os.Getpid()); err == nil && time.Since(began) > b.soak/10 {
			c.Points = append(c.Points, point{time.Since(began).Seconds(), float64(rss) / (1 << 20)})
		}
	}
}

// drift compares the last third of the time with the first.
func drift(c curve, soak time.Duration) row {
	third := len(c.Points) / 3
	first, last := mean(c.Points[:third]), mean(c.Points[len(c.Points)-third:])
	return row{
		Name: fmt.Sprintf("resident memory after %v of full load", soak), Unit: "MiB", Ours: last, Other: first, Ratio: last / first,
		Bar: bar{Number: 7, OfRatio: true, AtMost: 1.02}, Note: "other: the first third",
	}
}

func mean(points []point) (sum float64) {
	for _, p := range points {
		sum += p.Y
	}
	return sum / float64(max(1, len(points)))
}

// idling is what a host with many pipelines takes that have nothing to do.
func (b *bench) idling(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "relayhost-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary, err := served.Build(ctx, b.root, dir)
	if err != nil {
		return err
	}
	server, err := served.Start(ctx, binary, false)
	if err != nil {
		return err
	}
	rss, took, err := server.Idle(ctx, served.Setting{Module: guests.C, Pipelines: b.idle})
	b.results.add(row{
		Name: fmt.Sprintf("%d idle pipelines, C", b.idle), Unit: "MiB", Ours: float64(rss) / (1 << 20),
		Bar: bar{Number: 7, AtMost: 1024}, Note: fmt.Sprintf("steady %v after its start", took.Round(100*time.Millisecond)),
	})
	return errors.Join(err, server.Close())
}
