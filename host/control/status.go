package control

import (
	"fmt"
	"time"
)

// Status is what a host is at one instant.
type Status struct {
	// Running: a host has answered. If none runs, the rest is what its journal
	// holds.
	Running bool      `json:"running"`
	Version string    `json:"version,omitempty"`
	PID     int       `json:"pid,omitempty"`
	Started time.Time `json:"started,omitzero"`
	// Pipelines are in the order of the configuration; those behind, of which
	// only Kept is there, are in the journal alone.
	Pipelines []Pipeline `json:"pipelines"`
	// Journal is nil for a host without one.
	Journal *Journal `json:"journal,omitempty"`
}

// Pipeline is what a pipeline is at one instant. Received = InFlight + the sum of
// Settled.
type Pipeline struct {
	Name string `json:"name"`
	// Phase is starting, running, draining, ended or failed; empty if the host
	// does not run it.
	Phase string `json:"phase,omitempty"`
	// Plugin is the digest of its module.
	Plugin string `json:"plugin,omitempty"`
	// PluginState is nil unless a rollout runs.
	PluginState *PluginState `json:"plugin_state,omitempty"`

	Received int64 `json:"received"`
	// Recovered is how many of those received were in the journal.
	Recovered int64 `json:"recovered"`
	// Settled is by kind; what did not occur may be absent.
	Settled  map[string]int64 `json:"settled"`
	InFlight int64            `json:"in_flight"`
	// Bytes is the size of the events in flight.
	Bytes int64 `json:"in_flight_bytes"`
	// Dropped, DeadLettered and Unlocked are what became of those that failed.
	Dropped      int64 `json:"dropped"`
	DeadLettered int64 `json:"dead_lettered"`
	Unlocked     int64 `json:"unlocked"`

	// Waiting is how many messages wait in each batcher, and Retries how many for
	// another attempt.
	Waiting map[string]int `json:"waiting,omitempty"`
	Retries int            `json:"retries"`
	// HaltedPartitions wait for an operator, and HaltedMessages in them.
	HaltedPartitions int `json:"halted_partitions"`
	HaltedMessages   int `json:"halted_messages"`

	// Lag is how many events wait above the cursor, nil if that is not known.
	Lag *int64 `json:"lag,omitempty"`
	// Cursor is the position up to which the log is read, in mode log, and Floor
	// the one up to which everything is done with: nil if there is none.
	Cursor *int64 `json:"cursor,omitempty"`
	Floor  *int64 `json:"floor,omitempty"`

	// Kept is what the journal has of it, nil without one.
	Kept *Kept `json:"journal,omitempty"`
}

// Kept is what a journal has of a pipeline.
type Kept struct {
	Unsettled      int64 `json:"unsettled"`
	UnsettledBytes int64 `json:"unsettled_bytes"`
	DeadLetters    int64 `json:"dead_letters"`
}

// Journal is what a journal holds.
type Journal struct {
	Dir      string `json:"dir"`
	Bytes    int64  `json:"bytes"`
	MaxBytes int64  `json:"max_bytes"`
	// Full: intake has stopped.
	Full bool `json:"full"`
	// Error says why nothing can be kept for now, empty if it can.
	Error string `json:"error,omitempty"`
}

// SettledTotal is how many messages have an outcome.
func (p *Pipeline) SettledTotal() (n int64) {
	for _, of := range p.Settled {
		n += of
	}
	return n
}

// Trouble says, a sentence each, what is not well with a host that runs.
func (s *Status) Trouble() (all []string) {
	for i := range s.Pipelines {
		p := &s.Pipelines[i]
		switch p.Phase {
		case "failed":
			all = append(all, fmt.Sprintf("pipeline %q ended with an error; the log has it", p.Name))
		case "ended":
			all = append(all, fmt.Sprintf("pipeline %q has ended", p.Name))
		}
		if p.HaltedPartitions > 0 {
			all = append(all, fmt.Sprintf("pipeline %q has %d halted partitions, with %d messages", p.Name, p.HaltedPartitions, p.HaltedMessages))
		}
		if total := p.SettledTotal(); p.Received != total+p.InFlight {
			all = append(all, fmt.Sprintf("the books of pipeline %q do not balance: received %d, settled %d, in flight %d",
				p.Name, p.Received, total, p.InFlight))
		}
	}
	if j := s.Journal; j != nil && j.Error != "" {
		all = append(all, j.Error)
	} else if j != nil && j.Full {
		all = append(all, fmt.Sprintf("the journal is full: it holds %d bytes of at most %d, and nothing more is pulled\n"+
			"hint: purge or retry dead letters, or raise max_bytes under [journal]", j.Bytes, j.MaxBytes))
	}
	return all
}
