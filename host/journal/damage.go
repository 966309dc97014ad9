package journal

import (
	"errors"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Report is what Check found.
type Report struct {
	Stats
	// Damage is what is wrong, nil if nothing is.
	Damage error
}

// Check reads all of the journal in dir and says what is there and what is
// damaged. It changes nothing.
func Check(dir string, o Options) (Report, error) {
	o = o.withDefaults()
	lock, err := lockFolder(o.FS, dir)
	if err != nil {
		return Report{}, err
	}
	defer func() { _ = lock.Close() }()
	l, err := inspect(o.FS.PathJoin(dir, "store"), o)
	if d, ok := errors.AsType[*DamagedError](err); ok {
		return Report{Damage: d}, nil
	}
	if err != nil {
		return Report{}, err
	}
	j := Journal{o: o, ledger: *l}
	return Report{Stats: j.Stats()}, nil
}

var (
	_ vfs.FS
	_ slog.Logger
)
