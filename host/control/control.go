// Package control is how a running host is asked how it is and told what to do:
// HTTP and JSON over a Unix socket that only the host's own user can open. A host
// begins with [Listen], who asks it with [Dial]; both see a [Host]. [ListenTCP] is
// for those who ask from elsewhere. docs/openapi.yaml describes every request.
//
// # What is trusted
//
// Whoever can open the socket is the host's user and may do everything, and so may
// who bears the token over a network. A peer may yet be broken: requests are
// bounded in size, in number and in time, unknown fields are refused, and a peer
// that hangs costs a connection for a while and nothing else. Status answers and
// lists hold no payloads.
package control

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// Host is what can be asked of a host. A [Client] is one, and so is what a
// [Server] asks. It is safe for concurrent use.
type Host interface {
	// Status is the host at one instant: the books of each pipeline balance.
	Status(ctx context.Context) (Status, error)
	// DeadLetters yields those that q chooses, oldest first. After an error
	// there is nothing more.
	DeadLetters(ctx context.Context, q Query) iter.Seq2[DeadLetter, error]
	// DeadLetter is the whole of one, or ErrNotFound.
	DeadLetter(ctx context.Context, id string) (DeadLetter, error)
	// Retry puts those that f chooses back into their pipelines' inboxes, and
	// returns how many. Those of pipelines that the host does not have stay.
	Retry(ctx context.Context, f Filter) (int, error)
	// Purge deletes those that f chooses, and returns how many.
	Purge(ctx context.Context, f Filter) (int, error)

	// The error of what is about a pipeline is a [NoPipelineError] if there is no
	// such pipeline.
	Rollouts
	// Reload reads the configuration again. If it is faulty nothing changes.
	Reload(ctx context.Context) (Reloaded, error)
	// Resume has a partition that was halted go on.
	Resume(ctx context.Context, pipeline, partition string) error
	// SetRateLimit replaces a pipeline's rate limit until the next reload.
	SetRateLimit(ctx context.Context, pipeline string, l RateLimit) error
}

// Rollouts are how versions of plugins become live.
type Rollouts interface {
	// Plugin is the plugin of a pipeline.
	Plugin(ctx context.Context, pipeline string) (Plugin, error)
	// Swap begins to make m the live version, by the pipeline's own mode.
	Swap(ctx context.Context, pipeline string, m Module) (Started, error)
	// Promote makes the version that is on trial the live one at once.
	Promote(ctx context.Context, pipeline string) (Started, error)
	// Rollback ends a trial, or makes a version live that was so before: the one
	// whose digest begins so, or the last one if digest is empty.
	Rollback(ctx context.Context, pipeline, digest string) (Started, error)
}

// ErrNotFound is a dead letter that is not there.
var ErrNotFound = errors.New("there is no such dead letter")

// ErrNoHost is a socket at which nobody listens.
var ErrNoHost = errors.New("no host runs")

// ErrTooLong is a path that is longer than the system lets a socket's be.
var ErrTooLong = errors.New("the path is too long for a socket")

// RefusedError is what was asked and cannot be: the fault is of who asks.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// Refuse is a [RefusedError] with a reason.
func Refuse(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }
