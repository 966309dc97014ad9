package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/relayhost/relayhost/bench/guests"
	"github.com/relayhost/relayhost/bench/served"
)

// served measures the binary behind a server in another process: bars 3 and 6.
func (b *bench) served(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "relayhost-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary, err := served.Build(ctx, b.root, dir)
	if err != nil {
		return err
	}
	large := "max_demand = 1000\nmin_demand = 500"
	for _, c := range []struct {
		name    string
		tls     bool
		setting served.Setting
		other   float64
		wanted  float64
		part    int // of the events
	}{
		{"gRPC → C, batch_size 100, max_demand 1000", false, served.Setting{Processors: large}, broadwayServed, 350_000, 1},
		{"the same with mutual TLS", true, served.Setting{Processors: large}, broadwayServed, 350_000, 1},
		{"the same with mutual TLS and journal", true, served.Setting{Processors: large, Journal: true}, broadwayServed, 0, 2},
		{"gRPC → C, every default but the journal", false, served.Setting{}, broadwayDefaults, 200_000, 2},
		{"the same with mutual TLS", true, served.Setting{}, broadwayDefaults, 200_000, 2},
		{"gRPC → C, every default, mutual TLS", true, served.Setting{Journal: true}, broadwayDefaults, 200_000, 4},
	} {
		c.setting.Module = guests.C
		wanted := bar{Number: 3, AtLeast: c.wanted}
		if c.wanted == 0 {
			wanted.Number = 0
		}
		rate, err := b.drain(ctx, binary, c.tls, c.setting, b.events/c.part)
		if err != nil {
			return err
		}
		b.results.add(row{
			Name: c.name, Unit: "events/s", Ours: rate, Other: c.other, Ratio: rate / c.other, Bar: wanted, Note: "other: Broadway",
		})
	}
	return b.starting(ctx, binary)
}

// drain is the median rate of a few runs, with a server for each: what it keeps
// does not slow down the next.
func (b *bench) drain(ctx context.Context, binary string, tls bool, c served.Setting, events int) (float64, error) {
	const runs = 3
	var rates []float64
	for range min(runs, b.rounds) {
		server, err := served.Start(ctx, binary, tls)
		if err != nil {
			return 0, err
		}
		if err = server.Publish(ctx, events); err == nil {
			var rate float64
			rate, err = server.Drain(ctx, c, events)
			rates = append(rates, rate)
		}
		if err = errors.Join(err, server.Close()); err != nil {
			return 0, err
		}
	}
	slices.Sort(rates)
	return rates[len(rates)/2], nil
}

// starting is how long a host with the plugin in Go takes to begin.
func (b *bench) starting(ctx context.Context, binary string) error {
	server, err := served.Start(ctx, binary, false)
	if err != nil {
		return err
	}
	var cold, warm []time.Duration
	for range min(3, b.rounds) {
		first, second, startErr := server.Starting(ctx, guests.Go)
		if err = startErr; err != nil {
			break
		}
		cold, warm = append(cold, first), append(warm, second)
	}
	if err = errors.Join(err, server.Close()); err != nil {
		return err
	}
	slices.Sort(cold)
	slices.Sort(warm)
	milliseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.results.add(row{Name: "start to first output, Go, cold", Unit: "ms", Ours: milliseconds(cold[len(cold)/2])})
	b.results.add(row{
		Name: "start to first output, Go, warm cache", Unit: "ms", Ours: milliseconds(warm[len(warm)/2]), Bar: bar{Number: 6, AtMost: 200},
	})
	return nil
}
