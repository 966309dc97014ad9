package journal_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/relayhost/relayhost/host/journal"
)

// hanging is a disk that does not answer when it is to sync a log, until it is
// released.
type hanging struct {
	armed    atomic.Bool
	released chan struct{}
}

// MaybeError is for errorfs.
func (h *hanging) MaybeError(op errorfs.Op) error {
	if h.armed.Load() && strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
		<-h.released
	}
	return nil
}

func (h *hanging) String() string { return "hanging" }

// TestCloseHung closes a journal whose disk hangs: nobody else may open it before
// the disk has done what it was asked, and nothing is written after that.
func TestCloseHung(t *testing.T) {
	if inChild(t) {
		return
	}
	defer journal.SetCloseWait(journal.SetCloseWait(50 * time.Millisecond))
	h := &hanging{released: make(chan struct{})}
	o := journal.Options{FS: errorfs.Wrap(vfs.NewMem(), h)}
	j, err := journal.Open("j", o)
	if err != nil {
		t.Fatal(err)
	}
	in := inbox(t, j, "a")
	appendAll(t, in, events(1, 10))
	h.armed.Store(true)
	hung := make(chan error, 1)
	go func() { hung <- in.Append(context.Background(), never, events(11, 10)) }()
	until(t, "the pull is on its way", func() bool { return j.Stats().Pipelines["a"].Unsettled == 20 })
	if err := j.Close(); err == nil || !strings.Contains(err.Error(), "did not answer") {
		t.Errorf("close: %v", err)
	}
	if err := <-hung; !errors.Is(err, journal.ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if _, err := journal.Open("j", o); !errors.Is(err, journal.ErrInUse) {
		t.Errorf("opened while the disk works for another: %v", err)
	}
	h.armed.Store(false)
	close(h.released)
	until(t, "the journal can be opened", func() bool {
		j, err = journal.Open("j", o)
		return err == nil
	})
	if s := j.Stats().Pipelines["a"]; s.Unsettled != 10 && s.Unsettled != 20 {
		t.Errorf("%+v", s)
	}
	appendAll(t, inbox(t, j, "a"), events(21, 10))
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}
