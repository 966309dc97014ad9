package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/relayhost/relayhost/bench/flow"
	"github.com/relayhost/relayhost/bench/guests"
)

// What Broadway does with a handler of its own on the same kind of machine, in
// events a second: from memory, and from EventRelay with batch_size 100 and
// max_demand 1000, and with its defaults.
const (
	broadwayMemory   = 288_000
	broadwayServed   = 87_700
	broadwayDefaults = 15_000
)

// demand is the max_demand of those bars that name one.
const demand = 1000

// turns has shapes take turns, and returns the results of each, the slowest first.
func turns(ctx context.Context, rounds int, length time.Duration, shapes ...flow.Shape) (all [][]flow.Result, err error) {
	engine, err := flow.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close(ctx)) }()
	all = make([][]flow.Result, len(shapes))
	for range rounds {
		for i, s := range shapes {
			r, err := engine.Run(ctx, s, length)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], r)
		}
	}
	for _, results := range all {
		slices.SortFunc(results, func(a, b flow.Result) int { return int(a.Rate - b.Rate) })
	}
	return all, nil
}

func middle(results []flow.Result) flow.Result { return results[len(results)/2] }

// flowRounds is how many turns each pipeline has.
func (b *bench) flowRounds() int { return max(1, b.rounds/3) }

// flows measures pipelines from memory to a sink that discards: bars 2 and 5.
func (b *bench) flows(ctx context.Context) error {
	const c1, c2, cDefault, go1, go2, native = 0, 1, 2, 3, 4, 5
	shapes := []flow.Shape{
		c1: {Module: guests.C, MaxDemand: demand}, c2: {Module: guests.C, MaxDemand: demand, Slots: 2}, cDefault: {Module: guests.C},
		go1: {Module: guests.Go, MaxDemand: demand}, go2: {Module: guests.Go, MaxDemand: demand, Slots: 2}, native: {MaxDemand: demand},
	}
	all, err := turns(ctx, b.flowRounds(), b.length, shapes...)
	if err != nil {
		return err
	}
	rate := func(name string, r flow.Result, other float64, wanted bar, note string) {
		b.results.add(row{Name: name, Unit: "events/s", Ours: r.Rate, Other: other, Ratio: ratio(r.Rate, other), Bar: wanted, Note: note})
		b.results.add(row{Name: "  its processor time", Unit: "ns/event", Ours: float64(r.CPU)})
	}
	best := func(one, two int) flow.Result {
		return slices.MaxFunc([]flow.Result{middle(all[one]), middle(all[two])}, func(a, b flow.Result) int { return int(a.Rate - b.Rate) })
	}
	rate("memory → C → batcher → discard", best(c1, c2), broadwayMemory, bar{Number: 2, AtLeast: 1_000_000}, "other: Broadway, native handler")
	rate("memory → Go → batcher → discard", best(go1, go2), broadwayMemory, bar{Number: 2, AtLeast: 300_000}, "other: Broadway, native handler")
	rate("memory → C, max_demand 10", middle(all[cDefault]), 0, bar{}, "")
	rate("memory → nothing, in the host", middle(all[native]), 0, bar{}, "what the pipeline itself costs")
	b.results.add(row{
		Name: "allocations on the whole path, C", Unit: "allocs/event", Ours: middle(all[c1]).Allocations, Bar: bar{Number: 1, AtMost: 2},
	})
	return errors.Join(b.slots(ctx), b.latency(ctx))
}

func ratio(ours, other float64) float64 {
	if other == 0 {
		return 0
	}
	return ours / other
}

// slots compares two slots with one, without a batcher: its slot would be another.
func (b *bench) slots(ctx context.Context) error {
	for name, module := range map[string][]byte{"C": guests.C, "Go": guests.Go} {
		shape := flow.Shape{Module: module, MaxDemand: demand, BatchSize: -1}
		two := shape
		two.Slots = 2
		all, err := turns(ctx, b.flowRounds(), b.length, shape, two)
		if err != nil {
			return err
		}
		one, more := middle(all[0]).Rate, middle(all[1]).Rate
		b.results.add(row{
			Name: "2 slots ÷ 1 slot, " + name, Unit: "events/s", Ours: more, Other: one, Ratio: more / one,
			Bar: bar{Number: 5, OfRatio: true, AtLeast: 1.7},
		})
	}
	return nil
}

// latency is from when an event is due until it is settled, at a tenth of the load
// that a pipeline can bear.
func (b *bench) latency(ctx context.Context) error {
	const part = 0.1
	shape := flow.Shape{Module: guests.C, BatchSize: -1}
	full, err := turns(ctx, 1, b.length, shape)
	if err != nil {
		return err
	}
	shape.Rate = full[0][0].Rate * part
	all, err := turns(ctx, b.flowRounds(), b.length, shape)
	if err != nil {
		return err
	}
	slices.SortFunc(all[0], func(a, b flow.Result) int { return int(a.P99 - b.P99) })
	r := middle(all[0])
	b.results.add(row{Name: "latency at 10 % load, median", Unit: "µs", Ours: microseconds(r.P50)})
	b.results.add(row{Name: "latency at 10 % load, 99th percentile", Unit: "µs", Ours: microseconds(r.P99), Bar: bar{Number: 5, AtMost: 1000}})
	return nil
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
