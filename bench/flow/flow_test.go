package flow_test

import (
	"os"
	"testing"
	"time"

	"github.com/relayhost/relayhost/bench/flow"
	"github.com/relayhost/relayhost/bench/guests"
	"github.com/relayhost/relayhost/host/heap"
)

func TestMain(m *testing.M) {
	heap.Keep(heap.Least) // as the binary does
	os.Exit(m.Run())
}

// BenchmarkFlow has each shape for a profile of it alone: an operation is a second.
func BenchmarkFlow(b *testing.B) {
	engine, err := flow.Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for name, s := range map[string]flow.Shape{
		"C-1000":      {Module: guests.C, MaxDemand: 1000},
		"C-default":   {Module: guests.C},
		"C-2slots":    {Module: guests.C, MaxDemand: 1000, Slots: 2},
		"Go-1000":     {Module: guests.Go, MaxDemand: 1000},
		"Go-2slots":   {Module: guests.Go, MaxDemand: 1000, Slots: 2},
		"native-1000": {MaxDemand: 1000},
		"unbatched":   {Module: guests.C, MaxDemand: 1000, BatchSize: -1},
		"latency":     {Module: guests.C, BatchSize: -1, Rate: 50_000},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r, err := engine.Run(b.Context(), s, time.Second)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(r.Rate, "events/s")
				b.ReportMetric(float64(r.CPU), "cpu-ns/event")
				b.ReportMetric(r.Allocations, "allocs/event")
				b.ReportMetric(r.Bytes, "B/event")
				if s.Rate > 0 {
					b.ReportMetric(float64(r.P50.Microseconds()), "us-p50")
					b.ReportMetric(float64(r.P99.Microseconds()), "us-p99")
				}
			}
		})
	}
	if err := engine.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}
