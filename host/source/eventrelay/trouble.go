package eventrelay

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/relayhost/relayhost/host/eventrelay"
)

const (
	firstPause = 100 * time.Millisecond
	// The longest pause is the pull interval, within these bounds.
	minLastPause = 3 * time.Second
	maxLastPause = time.Minute
	// reminder is how often a lasting trouble is logged again.
	reminder = time.Minute
)

// trouble is what the callers of Pull know together about a server that fails:
// for how long to leave it alone, and what has been logged about it.
type trouble struct {
	logger   *slog.Logger
	diagnose func(error) eventrelay.Diagnosis
	doing    string

	mu      sync.Mutex
	backoff backoff.ExponentialBackOff
	// since is when it began, zero if there is none; until is when to try
	// again.
	since, until time.Time
	failures     int
	// told says that this trouble has been logged; cause and logged are of the
	// last line about any, so that a server that fails now and then does not
	// fill the log.
	told   bool
	cause  string
	logged time.Time
}

func newTrouble(logger *slog.Logger, interval time.Duration) *trouble {
	return &trouble{
		logger:   logger,
		diagnose: diagnose,
		doing:    "pull events",
		backoff: backoff.ExponentialBackOff{
			InitialInterval:     firstPause,
			RandomizationFactor: 0.5,
			Multiplier:          2,
			MaxInterval:         min(max(interval, minLastPause), maxLastPause),
		},
	}
}

// pause is how long to wait before the next request.
func (t *trouble) pause() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Until(t.until)
}

// note takes the result of a request.
func (t *trouble) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	switch {
	case err != nil:
		t.fail(now, err)
	case !t.since.IsZero():
		t.end(now)
	}
}

func (t *trouble) fail(now time.Time, err error) {
	if t.since.IsZero() {
		t.since = now
	}
	t.failures++
	// Requests that fail together are one reason to wait, not several.
	if !now.Before(t.until) {
		t.until = now.Add(t.backoff.NextBackOff())
	}
	d := t.diagnose(err)
	if d.Cause == t.cause && now.Sub(t.logged) < reminder {
		return
	}
	t.told, t.cause, t.logged = true, d.Cause, now
	t.logger.Warn("cannot "+t.doing+", trying again", "cause", d.Cause, "hint", d.Hint,
		"error", eventrelay.Detail(err), "failures", t.failures, "since", t.since)
}

func (t *trouble) end(now time.Time) {
	if t.told {
		t.logger.Info("pulling events again",
			"after", now.Sub(t.since).Round(time.Millisecond), "failures", t.failures)
	}
	t.since, t.until, t.failures, t.told = time.Time{}, time.Time{}, 0, false
	t.backoff.Reset()
}

func diagnose(err error) eventrelay.Diagnosis {
	if errors.Is(err, errReply) {
		return eventrelay.Diagnosis{Cause: errReply.Error(), Hint: "correct host and port: is this an EventRelay server?"}
	}
	return eventrelay.Diagnose(err)
}
