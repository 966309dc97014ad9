package control

import (
	"fmt"
	"strings"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// DeadLetter is an event that was given up.
type DeadLetter struct {
	// ID is the dead letter's own; those of later ones are greater.
	ID       string `json:"id"`
	Pipeline string `json:"pipeline"`
	EventID  string `json:"event_id"`
	Position int64  `json:"position"`
	Kind     string `json:"kind"`
	Reason   string `json:"reason"`
	Attempts uint32 `json:"attempts"`
	// Plugin is the digest of the module that failed it, empty if none has handled it.
	Plugin string `json:"plugin"`
	// Received is when the event was first pulled, Failed when it was given up,
	// Forwarded when it was forwarded, zero if it was not.
	Received  time.Time `json:"received"`
	Failed    time.Time `json:"failed"`
	Forwarded time.Time `json:"forwarded,omitzero"`
	// Size is that of the event.
	Size int `json:"size"`
	// Trace is the guest's call stack, if it trapped, and Event the event as its
	// source sent it. They are there only in a whole one.
	Trace string `json:"trace,omitempty"`
	Event []byte `json:"event,omitempty"`
}

// Filter chooses dead letters; what is zero does not matter.
type Filter struct {
	IDs      []string `json:"ids,omitempty"`
	Pipeline string   `json:"pipeline,omitempty"`
	// Plugin is how the digest begins, with or without "sha256:" before it.
	Plugin string `json:"plugin,omitempty"`
	// Kind is the name of a kind of failure.
	Kind string `json:"kind,omitempty"`
	// Since and Until bound when they were given up: from Since on, before Until.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Limit is the most that are chosen, the oldest; 0 for all.
	Limit int `json:"limit,omitempty"`
	// All: a filter that chooses everything is meant to. Purge wants it said.
	All bool `json:"all,omitempty"`
}

// Query chooses what is listed.
type Query struct {
	Filter

	// After leaves out those up to this one.
	After string
	// Whole ones have their events and traces.
	Whole bool
}

// Everything reports whether the filter, but for its limit, chooses everything.
func (f *Filter) Everything() bool {
	return len(f.IDs) == 0 && f.Pipeline == "" && f.Plugin == "" && f.Kind == "" && f.Since.IsZero() && f.Until.IsZero()
}

// maxIDs is how many dead letters one request may name. A [Client] makes several
// requests for more.
const maxIDs = 1000

// maxText is how long a text in a filter may be.
const maxText = 1000

// check finds what is wrong with a filter that came from a peer.
func (f *Filter) check() error {
	if len(f.IDs) > maxIDs {
		return fmt.Errorf("%d ids are given, at most %d can be", len(f.IDs), maxIDs)
	}
	return f.Check()
}

// Check finds what is wrong with a filter that came from elsewhere.
func (f *Filter) Check() error {
	for name, text := range map[string]string{"pipeline": f.Pipeline, "plugin": f.Plugin} {
		if len(text) > maxText {
			return fmt.Errorf("%s has more than %d bytes", name, maxText)
		}
	}
	switch {
	case f.Limit < 0:
		return fmt.Errorf("limit is %d, want at least 1, or 0 for all", f.Limit)
	case !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until):
		return fmt.Errorf("nothing is between since %s and until %s", f.Since.Format(time.RFC3339), f.Until.Format(time.RFC3339))
	}
	for _, id := range f.IDs {
		if id == "" || len(id) > 64 {
			return fmt.Errorf("an id is %.64q, want one that a list has shown", id)
		}
	}
	if f.Kind == "" {
		return nil
	}
	_, err := ParseKind(f.Kind)
	return err
}

// ParseKind is the kind of failure of a name.
func ParseKind(name string) (message.Kind, error) {
	var names []string
	for _, kind := range message.Kinds() {
		switch kind.String() {
		case message.OK.String():
		case name:
			return kind, nil
		default:
			names = append(names, kind.String())
		}
	}
	return message.OK, fmt.Errorf("kind is %.64q, want one of %s", name, strings.Join(names, ", "))
}
