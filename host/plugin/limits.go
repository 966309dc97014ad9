package plugin

import (
	"cmp"
	"time"
)

// Limit is what one call may use. What goes beyond costs the call its message
// and its instance.
type Limit struct {
	// Deadline is how long the call may take.
	Deadline time.Duration
	// Fuel is how much it may execute, in the units of package meter: about an
	// instruction each. The barest loop runs 10 billion in 2.4 s (amd64).
	Fuel uint64
}

// Limits are a plugin's limits; zero values mean the defaults.
type Limits struct {
	// Message is for handle_message. Defaults to 5 s and 10 billion units.
	Message Limit
	// Batch is for handle_batch. Defaults to 30 s and 60 billion units.
	Batch Limit
	// Start is for the start function, _initialize, configure and teardown,
	// each. Defaults to 10 s and 20 billion units.
	Start Limit
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Message: l.Message.or(Limit{5 * time.Second, 10_000_000_000}),
		Batch:   l.Batch.or(Limit{30 * time.Second, 60_000_000_000}),
		Start:   l.Start.or(Limit{10 * time.Second, 20_000_000_000}),
	}
}

func (l Limit) or(d Limit) Limit {
	return Limit{Deadline: cmp.Or(l.Deadline, d.Deadline), Fuel: cmp.Or(l.Fuel, d.Fuel)}
}
