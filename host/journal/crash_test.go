package journal_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/message"
)

var (
	crashSeeds = flag.Int("crash-seeds", 12, "how many histories of crashes to try")
	crashAfter = flag.Int64("crash-after", 250, "the most operations until a crash")
	crashSeed  = flag.Uint64("crash-seed", 0, "the only seed to try")
)

// TestCrash stops the machine at a random operation, with any part of what was
// not synced lost, and again while the journal is opened and used. What holds:
//
//   - what Append returned nil for is there, unless Settle was called for it;
//   - what was settled before a flush of the journal (which listing dead letters
//     is) does not return;
//   - an event that failed is unsettled or a dead letter, never both or neither;
//   - nothing is there that was not appended, and nothing twice;
//   - what was kept and is above the floor is remembered.
//
// With fsync interval and off what was last kept may be lost, and no more.
func TestCrash(t *testing.T) {
	first, n := uint64(1), *crashSeeds
	if *crashSeed != 0 {
		first, n = *crashSeed, 1
	}
	var wg sync.WaitGroup
	atOnce := make(chan struct{}, 4)
	for seed := first; seed < first+uint64(n); seed++ { //nolint:gosec // small
		atOnce <- struct{}{}
		wg.Go(func() {
			defer func() { <-atOnce }()
			if err := crash(seed); err != nil {
				t.Errorf("-crash-seed=%d: %v", seed, err)
			}
		})
	}
	wg.Wait()
}

// truth is what a test knows for certain.
type truth struct {
	mu       sync.Mutex
	appended map[string]bool // Append was called
	kept     map[string]bool // and has returned nil
	settled  map[string]bool // Settle was called
	failed   map[string]bool // with a failure
	gone     map[string]bool // settled before a flush that succeeded
	position map[string]int64
	floor    int64
}

func newTruth() *truth {
	return &truth{
		appended: map[string]bool{}, kept: map[string]bool{}, settled: map[string]bool{}, failed: map[string]bool{},
		gone: map[string]bool{}, position: map[string]int64{},
	}
}

func (w *truth) clone() *truth {
	w.mu.Lock()
	defer w.mu.Unlock()
	return &truth{
		appended: maps.Clone(w.appended), kept: maps.Clone(w.kept), settled: maps.Clone(w.settled), failed: maps.Clone(w.failed),
		gone: maps.Clone(w.gone), position: maps.Clone(w.position), floor: w.floor,
	}
}

// machine is a file system that stops at an operation: what is there afterwards
// is what a crash left.
type machine struct {
	mem   *vfs.MemFS
	rng   *rand.Rand
	truth *truth
	left  atomic.Int64

	after  *vfs.MemFS
	before *truth // of what was certain before it
	off    chan struct{}
}

// MaybeError is for errorfs.
func (m *machine) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && m.left.Add(-1) == 0 {
		m.stop()
	}
	return nil
}

func (m *machine) String() string { return "machine" }

func (m *machine) stop() {
	before := m.truth.clone()
	m.after = m.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: m.rng.IntN(5) * 25, RNG: m.rng})
	m.before = m.truth.clone() // what was begun meanwhile may be there
	m.before.kept, m.before.gone = before.kept, before.gone
	close(m.off)
}

func crash(seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 1))
	fsync := journal.Always
	if seed%4 == 0 {
		fsync = []journal.Fsync{journal.Interval, journal.Off}[seed/4%2]
	}
	mem, known := vfs.NewCrashableMem(), newTruth()
	for life := range 4 {
		m := &machine{mem: mem, rng: rng, truth: known, off: make(chan struct{})}
		m.left.Store(1 + rng.Int64N(*crashAfter))
		var err error
		if mem, known, err = m.live(journal.Options{
			FS: errorfs.Wrap(mem, m), Fsync: fsync, Interval: 2 * time.Millisecond, MaxBytes: 1 << 40,
		}, life); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
	}
	return nil
}

// live opens the journal, checks what an earlier life has left, and works until
// the machine stops, and somewhat longer: of that nothing remains.
func (m *machine) live(o journal.Options, life int) (*vfs.MemFS, *truth, error) {
	j, err := journal.Open("j", o)
	if err != nil {
		return nil, nil, err
	}
	work, cancel := context.WithCancel(context.Background())
	err = m.check(j, o.Fsync)
	if err == nil {
		err = m.work(work, j, life)
	}
	cancel()
	if err := errors.Join(err, j.Close()); err != nil {
		return nil, nil, err
	}
	<-m.off
	return m.after, m.before, nil
}

func (m *machine) work(ctx context.Context, j *journal.Journal, life int) error {
	in, err := j.Inbox(journal.InboxOptions{Pipeline: "a", Remember: true})
	if err != nil {
		return err
	}
	defer in.Close()
	rng := rand.New(rand.NewPCG(uint64(m.left.Load()), uint64(life))) //nolint:gosec // any
	var flying []*message.Message
	for pull := 0; !closed(m.off); pull++ {
		pulled := events(life*1_000_000+pull*20+1, 1+rng.IntN(20))
		m.truth.note(m.truth.appended, pulled)
		if err := in.Append(ctx, never, pulled); err != nil {
			return err
		}
		m.truth.note(m.truth.kept, pulled)
		flying = append(flying, pulled...)
		rng.Shuffle(len(flying), func(i, j int) { flying[i], flying[j] = flying[j], flying[i] })
		n := rng.IntN(len(flying) + 1)
		m.settle(in, flying[:n], rng)
		flying = flying[n:]
		if rng.IntN(4) == 0 {
			m.forget(in)
		}
		if rng.IntN(6) == 0 {
			if err := m.flush(j); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *truth) note(set map[string]bool, messages []*message.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range messages {
		set[m.ID] = true
		w.position[m.ID] = m.Position
	}
}

func (m *machine) settle(in *journal.Inbox, messages []*message.Message, rng *rand.Rand) {
	fail := rng.IntN(len(messages) + 1)
	m.truth.note(m.truth.failed, messages[:fail])
	m.truth.note(m.truth.settled, messages)
	settle(in, failed("no"), messages[:fail]...)
	settle(in, message.Outcome{}, messages[fail:]...)
}

func (m *machine) forget(in *journal.Inbox) {
	if lowest, ok := in.Lowest(); ok {
		m.truth.mu.Lock()
		m.truth.floor = max(m.truth.floor, lowest-1)
		m.truth.mu.Unlock()
		in.Forget(lowest - 1)
	}
}

func (m *machine) flush(j *journal.Journal) error {
	settled := m.truth.clone().settled
	for _, err := range j.DeadLetters(journal.Filter{Limit: 1}) {
		if err != nil {
			return err
		}
	}
	m.truth.mu.Lock()
	defer m.truth.mu.Unlock()
	maps.Copy(m.truth.gone, settled)
	return nil
}

// check compares what is there with what must be, and takes it as the truth.
func (m *machine) check(j *journal.Journal, fsync journal.Fsync) error {
	unsettled, dead, err := content(j)
	if err != nil {
		return err
	}
	w := m.truth
	in, err := j.Inbox(journal.InboxOptions{Pipeline: "a", Remember: true})
	if err != nil {
		return err
	}
	defer in.Close()
	marks, err := in.Remembered()
	if err != nil {
		return err
	}
	remembered := map[string]bool{}
	for _, m := range marks {
		remembered[m.ID] = true
	}
	floor, _ := in.Floor()
	if floor > w.floor {
		return fmt.Errorf("the floor is %d, and %d is the highest that was set", floor, w.floor)
	}
	for id := range w.appended {
		lost := !unsettled[id] && !dead[id]
		switch {
		case unsettled[id] && dead[id]:
			return fmt.Errorf("%s is unsettled and a dead letter", id)
		case fsync != journal.Always:
		case lost && w.kept[id] && !w.settled[id]:
			return fmt.Errorf("%s is lost", id)
		case lost && w.kept[id] && w.failed[id]:
			return fmt.Errorf("%s is neither unsettled nor a dead letter", id)
		case unsettled[id] && w.gone[id]:
			return fmt.Errorf("%s has returned", id)
		case w.kept[id] && !remembered[id] && w.position[id] > w.floor:
			return fmt.Errorf("%s at %d is forgotten, and the floor was %d", id, w.position[id], w.floor)
		}
	}
	for id := range unsettled {
		if !w.appended[id] {
			return fmt.Errorf("%s was never appended", id)
		}
	}
	m.truth.become(unsettled, dead, floor)
	return nil
}

// become takes what was found as what is certain: it was read from the disk.
func (w *truth) become(unsettled, dead map[string]bool, floor int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.floor = max(w.floor, floor)
	for id := range w.appended {
		found := unsettled[id] || dead[id]
		if !found {
			delete(w.appended, id)
		}
		w.kept[id] = found
		w.settled[id], w.failed[id] = dead[id], dead[id]
	}
	for id, kept := range w.kept {
		if !kept {
			delete(w.kept, id)
		}
	}
}
