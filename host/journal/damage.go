package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Report is what Check found.
type Report struct {
	// Stats is what is there, if all of it can be read.
	Stats
	// Damage is what is wrong, nil if nothing is.
	Damage error
}

// Check reads all of the journal in dir and says what is there, or what is
// damaged. It changes nothing. The error is ErrInUse if a process has it open, and
// fs.ErrNotExist if dir is no journal's.
func Check(dir string, o Options) (Report, error) {
	o = o.withDefaults()
	if err := hasStore(o.FS, dir); err != nil {
		return Report{}, fmt.Errorf("check the journal: %w", err)
	}
	lock, err := lockFolder(o.FS, dir)
	if err != nil {
		return Report{}, err
	}
	defer func() { _ = lock.Close() }()
	l, err := inspect(o.FS.PathJoin(dir, storeName), o)
	if d, ok := errors.AsType[*DamagedError](err); ok {
		return Report{Damage: d}, nil
	}
	if err != nil {
		return Report{}, err
	}
	j := Journal{o: o, ledger: *l}
	return Report{Stats: j.Stats()}, nil
}

// hasStore is an error if a folder has no store, not even one that is to be it: it
// may be anything, and nothing is to be written into it.
func hasStore(f vfs.FS, dir string) error {
	_, err := f.Stat(f.PathJoin(dir, storeName))
	if errors.Is(err, fs.ErrNotExist) {
		_, err = f.Stat(f.PathJoin(dir, salvagedName))
	}
	return err
}

// Salvage is what SetAside saved.
type Salvage struct {
	// Dir is where the old store is now.
	Dir string
	// Events are those that are unsettled. Some may have settled before: the
	// old store may hold what was already deleted.
	Events, DeadLetters int64
	// Unreadable says what could not be read.
	Unreadable []string
}

// SetAside moves a store that is damaged out of the way and begins a new one with
// everything that can be read of it. Nothing of the old one is changed. If it is
// interrupted, it can be called again.
func SetAside(dir string, f vfs.FS, log *slog.Logger) (Salvage, error) {
	o := Options{FS: f, Logger: log}.withDefaults()
	lock, err := lockFolder(o.FS, dir)
	if err != nil {
		return Salvage{}, err
	}
	s, err := setAside(dir, o)
	if err := errors.Join(err, lock.Close()); err != nil {
		return s, fmt.Errorf("set the journal in %s aside: %w", dir, err)
	}
	return s, nil
}

// setAside makes the new store before it touches the old one. At no time is
// there neither.
func setAside(dir string, o Options) (Salvage, error) {
	old, saved := o.FS.PathJoin(dir, storeName), o.FS.PathJoin(dir, salvagedName)
	_, err := o.FS.Stat(old)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Salvage{}, createStore(dir, o) // the last renaming was interrupted
	case err != nil:
		return Salvage{}, err
	}
	if err := o.FS.RemoveAll(saved); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Salvage{}, err
	}
	s, err := salvageStore(dir, o)
	if err != nil {
		return s, err
	}
	if err := moveFolder(o.FS, dir, o.FS.PathJoin(dir, freshName), saved); err != nil {
		return s, err
	}
	s.Dir = o.FS.PathJoin(dir, "damaged-"+time.Now().UTC().Format("20060102T150405.000Z"))
	if err := moveFolder(o.FS, dir, old, s.Dir); err != nil {
		return s, err
	}
	return s, moveFolder(o.FS, dir, saved, old)
}
