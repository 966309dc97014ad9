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
//
// # What holds
//
// What Append returned nil for is there after any crash until it settled, or, with
// [Interval] and [Off], after any crash of the process. A settlement may be lost
// in a crash: then the event is handled again. An event that failed is unsettled
// or a dead letter, never both and never neither. A disk that fails makes callers
// wait, and loses nothing. A store that cannot be read as it was written is
// reported by [Open] and left as it is; [SetAside] saves what can be read of it.
// Alone the last commit before a crash, if it is damaged afterwards, looks like
// one that was never finished.
package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
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
	// waits. Defaults to 1 GiB. What is remembered does not count: a source that
	// has to wait cannot forget any of it.
	MaxBytes int64
	// Logger is told of trouble with the disk. Defaults to discarding.
	Logger *slog.Logger
	// FS is the file system. Defaults to the machine's.
	FS vfs.FS

	torn bool // the end of the log may be missing
}

// ErrInUse is a journal that another process has open.
var ErrInUse = errors.New("the journal is in use")

// ErrClosed is a journal that was closed.
var ErrClosed = errors.New("the journal is closed")

// Journal is an open journal. It is safe for concurrent use.
type Journal struct {
	dir  string
	o    Options
	lock io.Closer

	// admin is held by what reads dead letters in order to change them.
	admin sync.Mutex

	// The committer's.
	scratch []byte
	healing healing

	kick    chan struct{} // has an item when there is something to commit
	closing chan struct{} // closed when Close begins
	over    chan struct{} // closed when nothing is committed any more
	ended   chan struct{} // closed when the committer has ended
	close   sync.Once

	mu sync.Mutex
	ledger
	queue   queue
	store   *generation
	trouble error // why the store cannot be used for now
	closed  bool
	failure error         // what Close returns
	changed chan struct{} // closed when bytes, trouble or closed change
}

func (o Options) withDefaults() Options {
	o.Fsync = cmp.Or(o.Fsync, Always)
	o.Interval = cmp.Or(o.Interval, time.Second)
	o.MaxBytes = cmp.Or(o.MaxBytes, 1<<30)
	o.FS = cmp.Or(o.FS, vfs.Default)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Open opens the journal in dir, and makes it if there is none. The error is
// ErrInUse if another process has it open, and a *DamagedError if it cannot be
// read: then nothing was changed in it.
func Open(dir string, o Options) (*Journal, error) {
	o = o.withDefaults()
	lock, err := lockFolder(o.FS, dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{
		dir: dir, o: o, lock: lock, kick: make(chan struct{}, 1), closing: make(chan struct{}), over: make(chan struct{}), ended: make(chan struct{}),
		changed: make(chan struct{}),
	}
	if err := j.open(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	go j.commitAll()
	return j, nil
}

func (j *Journal) storeDir() string { return j.o.FS.PathJoin(j.dir, storeName) }

func (j *Journal) open() error {
	if err := createStore(j.dir, j.o); err != nil {
		return err
	}
	l, err := inspect(j.storeDir(), j.o)
	if err != nil {
		return err
	}
	j.ledger = *l
	o := j.o
	if o.torn, err = mayBeTorn(o.FS, j.storeDir()); err != nil {
		return fmt.Errorf("open the journal: %w", err)
	}
	j.store, err = openGeneration(o.FS, j.storeDir(), o, false)
	if err != nil {
		return fmt.Errorf("open the journal: %w", err)
	}
	if err := errors.Join(j.markUnsynced(), j.unseal()); err != nil {
		j.store.giveUp()
		return fmt.Errorf("open the journal: %w", err)
	}
	return nil
}

// closeWait is how long Close waits for the disk.
var closeWait = 10 * time.Second

// Close writes what is queued, as far as the disk lets it, and closes the
// journal. What was not settled is handled by a later run.
func (j *Journal) Close() error {
	j.close.Do(func() {
		close(j.closing)
		select {
		case <-j.ended:
		case <-time.After(closeWait):
			j.abandon(fmt.Errorf("close the journal: the disk did not answer for %v", closeWait))
		}
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failure
}

// abandon closes a journal whose disk hangs. What the disk was asked to do it may
// do yet: until then nobody else can open the journal, or both would write.
func (j *Journal) abandon(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	j.store.fail("close", j.dir, err, false)
	j.refuse(err)
	go func() {
		<-j.ended
		_ = j.lock.Close()
	}()
}

// end makes the journal a closed one.
func (j *Journal) end(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.closed {
		j.refuse(errors.Join(err, j.lock.Close()))
	}
}

// refuse has nothing committed any more. The journal is locked.
func (j *Journal) refuse(err error) {
	j.closed, j.failure = true, err
	close(j.over)
	j.wake()
}

// wake tells those who wait for room. The journal is locked.
func (j *Journal) wake() {
	close(j.changed)
	j.changed = make(chan struct{})
}

// kickCommitter tells the committer that there is something to do.
func (j *Journal) kickCommitter() {
	select {
	case j.kick <- struct{}{}:
	default:
	}
}

// held is what counts against MaxBytes.
func (j *Journal) held() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytes
}

// Stats is what the journal holds at this instant.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Stats{
		Bytes: j.bytes, MaxBytes: j.o.MaxBytes, Err: j.trouble, Full: j.bytes >= j.o.MaxBytes,
		Pipelines: make(map[string]PipelineStats, len(j.pipelines)),
	}
	for name, p := range j.pipelines {
		s.Pipelines[name] = p.stats()
	}
	return s
}

// Stats is what the journal holds of the pipeline at this instant.
func (i *Inbox) Stats() PipelineStats {
	i.j.mu.Lock()
	defer i.j.mu.Unlock()
	return i.p.stats()
}

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
	// Plugin is the digest of the module that failed it, empty if none has
	// handled it.
	Plugin string
	// Received is when the event was first pulled, Failed when it was given up,
	// Forwarded when it was forwarded, zero if it was not.
	Received, Failed, Forwarded time.Time
}

// Filter chooses dead letters; what is zero does not matter.
type Filter struct {
	IDs []string
	// After leaves out those up to this id.
	After            string
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
