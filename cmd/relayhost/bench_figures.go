package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/relayhost/relayhost/host/plugin"
)

// benchFigures are what was measured. Its JSON form is documented in
// docs/performance/README.md.
type benchFigures struct {
	Events  int64   `json:"events"`
	Failed  int64   `json:"failed"`
	Reason  string  `json:"failed_with,omitempty"` // of the first that failed
	Seconds float64 `json:"seconds"`

	EventsPerSecond   float64 `json:"events_per_second"`
	NanosecondsEach   float64 `json:"ns_per_event"`
	FuelEach          float64 `json:"fuel_per_event"`
	AllocationsEach   float64 `json:"allocations_per_event"`
	HandleMessageMean int64   `json:"handle_message_ns_mean"`
	HandleMessageP50  int64   `json:"handle_message_ns_p50"`
	HandleMessageP99  int64   `json:"handle_message_ns_p99"`
}

// figures are those of a pipeline that has ended.
func (b *benchLine) figures() (f benchFigures) {
	f.Events, f.Failed, f.Seconds = b.settled.Load(), b.failed.Load(), time.Duration(b.last.Load()).Seconds()
	if reason := b.reason.Load(); reason != nil {
		f.Reason = *reason
	}
	if f.Events == 0 {
		return f
	}
	n := float64(f.Events)
	f.EventsPerSecond, f.NanosecondsEach = n/f.Seconds, f.Seconds*float64(time.Second)/n
	f.AllocationsEach = float64(mallocs()-b.mallocs) / n
	var times []time.Duration
	var fuel uint64
	for _, h := range b.handlers {
		times, fuel = append(times, h.times...), fuel+h.fuel
	}
	f.FuelEach = float64(fuel) / n
	f.distribute(times)
	return f
}

func (f *benchFigures) distribute(times []time.Duration) {
	if len(times) == 0 {
		return
	}
	slices.Sort(times)
	var sum time.Duration
	for _, t := range times {
		sum += t
	}
	f.HandleMessageMean = int64(sum) / int64(len(times))
	f.HandleMessageP50, f.HandleMessageP99 = int64(times[len(times)/2]), int64(times[len(times)*99/100])
}

// String is the figures for people.
func (f benchFigures) String() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { _, _ = fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	line("events", "%d in %.1fs, %d failed", f.Events, f.Seconds, f.Failed)
	line("throughput", "%.0f events/s, %.0f ns each", f.EventsPerSecond, f.NanosecondsEach)
	line("handle_message", "mean %v, p50 %v, p99 %v",
		time.Duration(f.HandleMessageMean), time.Duration(f.HandleMessageP50), time.Duration(f.HandleMessageP99))
	line("fuel", "%.0f an event", f.FuelEach)
	line("allocations", "%.2f an event", f.AllocationsEach)
	_ = w.Flush() // into memory
	return strings.TrimSuffix(text.String(), "\n")
}

// verdict is an error if not every event was ok.
func (f benchFigures) verdict() error {
	switch {
	case f.Events == 0:
		return errors.New("no event was handled to its end\nhint: have it run for longer with --duration")
	case f.Failed > 0:
		return fmt.Errorf("%d of %d events failed, the first with: %s", f.Failed, f.Events, plugin.Printable(f.Reason, shown))
	}
	return nil
}
