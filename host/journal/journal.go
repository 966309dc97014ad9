// Package journal keeps what was pulled safe on disk until it is settled, what
// was given up as dead letters, and how far each pipeline has read. Start with
// [Open], then [Journal.Inbox].
//
// # What is on disk
//
// One store for all pipelines of a host, in a folder of its own that one process
// at a time may use. A pull is kept as one entry, in one commit that is synced
// before [Inbox.Append] returns; pulls and settlements that come at the same time
// share a commit. What settled is taken out with the next commits.
package journal

import (
	"errors"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/relayhost/relayhost/host/message"
)

// Fsync says when what was written is on the disk and not only with the system.
type Fsync string

// The policies: before Append returns; every Options.Interval; when the system
// likes. With the latter two a crash of the machine, not of the process, may
// lose what came last.
const (
	Always   Fsync = "always"
	Interval Fsync = "interval"
	Off      Fsync = "off"
)

// Options say how a journal is kept.
type Options struct {
	// Fsync defaults to Always.
	Fsync Fsync
	// Interval is for Fsync Interval. Defaults to 1 s.
	Interval time.Duration
	// MaxBytes is how much may be kept, dead letters included, before Admit
	// waits. Defaults to 1 GiB.
	MaxBytes int64
	// Logger is told of trouble with the disk. Defaults to discarding.
	Logger *slog.Logger
	// FS is the file system. Defaults to the machine's.
	FS vfs.FS
}

// ErrInUse is a journal that another process has open.
var ErrInUse = errors.New("the journal is in use")

// DeadLetter is an event that was given up.
type DeadLetter struct {
	// ID is the dead letter's own; those of later ones are greater.
	ID       string
	Pipeline string
	EventID  string
	Position int64
	// Event is the event as its source sent it.
	Event         []byte
	Kind          message.Kind
	Reason, Trace string
	Attempts      uint32
	// Plugin is the digest of the module that failed it.
	Plugin string
	// Received is when the event was first pulled, Failed when it was given up,
	// Forwarded when it was forwarded, zero if it was not.
	Received, Failed, Forwarded time.Time
}

// Filter chooses dead letters; what is zero does not matter.
type Filter struct {
	IDs              []string
	Pipeline, Plugin string
	Kind             *message.Kind
	// Since and Until bound when they were given up: from Since on, before Until.
	Since, Until time.Time
	// Unforwarded: only those that were not forwarded.
	Unforwarded bool
	// Limit is the most that are chosen, 0 for all.
	Limit int
}

// Stats is what a journal holds.
type Stats struct {
	// Bytes is what counts against MaxBytes.
	Bytes, MaxBytes int64
	// Err says why nothing can be kept for now, nil if it can.
	Err error
	// Full: Admit waits.
	Full      bool
	Pipelines map[string]PipelineStats
}

// PipelineStats is what a journal holds for a pipeline.
type PipelineStats struct {
	// Unsettled is how many messages were kept and have not settled.
	Unsettled int64
	// UnsettledBytes is the size of their events.
	UnsettledBytes int64
	DeadLetters    int64
	// Floor is the position up to which everything is done with, in log mode.
	Floor int64
}
