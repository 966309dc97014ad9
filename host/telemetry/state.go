package telemetry

import (
	"fmt"
	"strconv"

	"github.com/relayhost/relayhost/host/message"
)

// State is what a pipeline is at one instant. Received, Settled and InFlight
// must be of the same one.
type State struct {
	// Phase says why the pipeline takes nothing in for now or ever, "draining"
	// for example; empty while it runs.
	Phase string

	Received, InFlight int64
	Settled            map[message.Kind]int64
	// Bytes is the size of the events in flight.
	Bytes int64
	// MaxInFlight and MaxBytes are what may be in flight before intake stops.
	MaxInFlight, MaxBytes int64
	// Dropped, DeadLettered and Unlocked are what became of those that failed.
	Dropped, DeadLettered, Unlocked int64
	// Recovered is how many of those received the journal had.
	Recovered int64
	// Lag is how many events wait in the log, nil if that is not known.
	Lag *int64
	// Kept is what the journal has of the pipeline, nil without a journal.
	Kept *Kept

	// Waiting is how many messages wait in each batcher.
	Waiting map[string]int
	// Retries is how many messages wait for another attempt.
	Retries int
	// HaltedPartitions are those that wait for an operator, and HaltedMessages
	// what waits in them.
	HaltedPartitions, HaltedMessages int

	// Versions are those of the plugin that have handled messages or are to, the
	// latest last; only the last few are shown.
	Versions []Version
	// Rollouts is how many new versions there were, by how their rollout ended:
	// "live", "refused", "rolled_back" or "superseded".
	Rollouts map[string]int64
	// Stage is what the rollout that runs is at, empty if none does.
	Stage string
	// Resting: the plugin fails all the time, and its messages wait.
	Resting bool
}

// Version is a version of a plugin.
type Version struct {
	// Digest is of its file, in hex.
	Digest string
	// State is "live", or "candidate" for one that may become so; empty once it is
	// neither.
	State string
	// Fuel is what its calls have used, and Discarded how many of its instances
	// were given up, by why.
	Fuel      uint64
	Discarded map[string]int64
}

// Kept is what the journal has of a pipeline.
type Kept struct{ Unsettled, UnsettledBytes, DeadLetters int64 }

// Journal is what the journal of a host is at one instant.
type Journal struct {
	Bytes, MaxBytes int64
	// Err says why it takes nothing, nil if it does.
	Err error
}

// reasons are why the pipeline is not ready; there are none if it is.
func (s *State) reasons() (reasons []string) {
	if s.Phase != "" {
		reasons = append(reasons, s.Phase)
	}
	if s.InFlight >= s.MaxInFlight {
		reasons = append(reasons, fmt.Sprintf("intake stopped: %s messages in flight of at most %s",
			grouped(s.InFlight), grouped(s.MaxInFlight)))
	}
	if s.Bytes >= s.MaxBytes {
		reasons = append(reasons, fmt.Sprintf("intake stopped: %s bytes in flight of at most %s",
			grouped(s.Bytes), grouped(s.MaxBytes)))
	}
	if s.Resting {
		reasons = append(reasons, "the plugin fails all the time and rests; the log has why")
	}
	if s.HaltedPartitions > 0 {
		reasons = append(reasons, fmt.Sprintf("partitions halted: %s, with %s messages",
			grouped(int64(s.HaltedPartitions)), grouped(int64(s.HaltedMessages))))
	}
	return reasons
}

// grouped is a count with a comma at each thousand.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
