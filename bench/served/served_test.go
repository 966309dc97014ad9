package served_test

import (
	"testing"

	"github.com/relayhost/relayhost/bench/guests"
	"github.com/relayhost/relayhost/bench/served"
)

// BenchmarkDrain has each setting for a look at it alone.
func BenchmarkDrain(b *testing.B) {
	binary, err := served.Build(b.Context(), "../..", b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for name, c := range map[string]served.Setting{
		"1000":    {Module: guests.C, Processors: "max_demand = 1000\nmin_demand = 500"},
		"default": {Module: guests.C},
		"journal": {Module: guests.C, Journal: true},
	} {
		b.Run(name, func(b *testing.B) {
			const events = 200_000
			server, err := served.Start(b.Context(), binary, false)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := server.Publish(b.Context(), events); err != nil {
					b.Fatal(err)
				}
				rate, err := server.Drain(b.Context(), c, events)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(rate, "events/s")
			}
			if err := server.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
