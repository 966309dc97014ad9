package control

import (
	"fmt"
	"strings"
	"time"
)

// Reloaded is what became of each pipeline when the configuration was read again.
type Reloaded struct {
	Added     []string `json:"added"`
	Removed   []string `json:"removed"`
	Changed   []string `json:"changed"`
	Unchanged []string `json:"unchanged"`
}

// RateLimit is how many messages a pipeline may take in each interval. Both are
// zero if there is no limit.
type RateLimit struct {
	AllowedMessages int
	Interval        time.Duration
}

// Bounds of a rate limit: those of the configuration.
const (
	maxAllowed  = 1_000_000_000
	minInterval = time.Millisecond
	maxInterval = 24 * time.Hour
)

// check finds what is wrong with a limit that came from a peer.
func (l RateLimit) check() error {
	switch {
	case l == RateLimit{}:
		return nil
	case l.AllowedMessages < 1 || l.AllowedMessages > maxAllowed:
		return fmt.Errorf("allowed_messages is %d, want 1 to %d, or 0 and an interval of \"0s\" for no limit", l.AllowedMessages, maxAllowed)
	case l.Interval < minInterval || l.Interval > maxInterval:
		return fmt.Errorf("interval is %v, want %v to %v, such as \"1s\"", l.Interval, minInterval, maxInterval)
	}
	return nil
}

// rateLimit is the JSON form of a [RateLimit].
type rateLimit struct {
	AllowedMessages int    `json:"allowed_messages"`
	Interval        string `json:"interval"`
}

func (l RateLimit) form() rateLimit { return rateLimit{l.AllowedMessages, l.Interval.String()} }

func (f rateLimit) limit() (l RateLimit, err error) {
	l.AllowedMessages = f.AllowedMessages
	if l.Interval, err = time.ParseDuration(f.Interval); err != nil {
		return l, fmt.Errorf("interval is %.64q, want a duration such as \"1s\"", f.Interval)
	}
	return l, l.check()
}

// NoPipelineError is a pipeline that a host does not have.
type NoPipelineError struct {
	Name  string
	Known []string
}

func (e *NoPipelineError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("there is no pipeline %q, nor any other", e.Name)
	}
	return fmt.Sprintf("there is no pipeline %q\nhint: there are %s", e.Name, strings.Join(e.Known, ", "))
}
