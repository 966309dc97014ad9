// Package versions keeps, for each pipeline, the versions of its plugin that went
// live, and remembers those that were refused or rolled back. Start with [Open].
//
// # What is kept
//
// A version is a module's file, named by its digest. Of those that went live the
// last few are kept with their bytes, so that a rollback and the next start have
// them wherever the file that they came from is by then. Of those that were
// judged unfit only a note is kept: the host does not try the same file with the
// same settings again.
//
// # On the disk
//
//	DIR/PIPELINE/index.json   what is known of each version
//	DIR/PIPELINE/DIGEST.wasm  the bytes of one
//
// Each is written whole or not at all, bytes before the index that names them, and
// only the owner may read them. One running host at a time may use a folder. The
// folder of a pipeline that is no longer configured stays, in case it comes back.
//
// # Damage
//
// Bytes that do not have their digest are not used but removed. A folder whose
// index cannot be read is set aside as PIPELINE.damaged, and begun anew. Both are
// logged, and neither keeps a host from starting. What cannot be written is an
// error, and yet remembered while the host runs.
package versions

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
)

// Store is the versions of all pipelines. It may be used by several goroutines.
type Store struct {
	dir  string
	keep int
	log  *slog.Logger

	mu        sync.Mutex
	histories map[string]*History
}

// Open opens the store in a folder, which it makes if it is not there, and keeps
// so many versions of each pipeline: at least two, the live one and the one before, and at most 100.
func Open(dir string, keep int, log *slog.Logger) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("versions: %w\nhint: give [versions] another dir", err)
	}
	return &Store{dir: dir, keep: min(max(keep, 2), maxKept), log: log, histories: make(map[string]*History)}, nil
}

var namePattern = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// Pipeline is the history of one pipeline, always the same one. The error is that
// the name is none of a pipeline.
func (s *Store) Pipeline(name string) (*History, error) {
	if !namePattern.MatchString(name) {
		return nil, fmt.Errorf("versions: %q is not a pipeline's name: 1 to 64 of a-z, 0-9, _ and -", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.histories[name]
	if h == nil {
		h = open(folder(filepath.Join(s.dir, name)), s.keep, s.log.With("pipeline", name))
		s.histories[name] = h
	}
	return h, nil
}
