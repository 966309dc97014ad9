package versions

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
)

// Why a version cannot be had.
var (
	ErrNone    = errors.New("no version has gone live yet")
	ErrUnknown = errors.New("no such version is kept")
)

// History is the versions of one pipeline. It may be used by several goroutines;
// those that only ask what is known wait for no disk.
type History struct {
	folder folder
	keep   int
	log    *slog.Logger

	index atomic.Pointer[index]
	// changing is held by the one that replaces the index and the files.
	changing sync.Mutex
}

// open reads what is there. What cannot be read is set aside.
func open(f folder, keep int, log *slog.Logger) *History {
	h := &History{folder: f, keep: keep, log: log}
	x, err := f.readIndex()
	if err != nil {
		x = index{}
		h.setAside(err)
	} else {
		x.Kept = first(keep, without(x.Kept, h.missing))
		f.sweep(x)
	}
	h.index.Store(&x)
	return h
}

func (h *History) setAside(why error) {
	to, err := h.folder.setAside()
	if err != nil {
		h.log.Warn("the index of the versions is damaged, and cannot be set aside: it is begun anew", "error", errors.Join(why, err))
		return
	}
	h.log.Warn("the index of the versions is damaged: its folder is set aside, and begun anew", "error", why, "folder", to)
}

// missing reports whether a version lacks its bytes.
func (h *History) missing(v Version) bool {
	if h.folder.has(v) {
		return false
	}
	h.log.Warn(lost, "digest", v.Digest, "source", v.Source)
	return true
}

const lost = "the bytes of a version are damaged or gone: it is forgotten"

// Versions are all that are known: the live one if there is one, and then the
// newest first.
func (h *History) Versions() []Version { return h.index.Load().all() }

// Considered is the digest of the configured file when [History.Consider] was
// told of it last; empty if it never was.
func (h *History) Considered() string { return h.index.Load().Considered }

// Refused is what is known of a file that was refused or rolled back with these
// settings.
func (h *History) Refused(digest, settings string) (Version, bool) {
	for _, v := range h.index.Load().Judged {
		if v.is(digest, settings) {
			return v, true
		}
	}
	return Version{}, false
}

// Previous is the good version before the live one: what a rollback goes to. If
// its bytes turn out to be lost ([History.File]), another one is the next time.
func (h *History) Previous() (Version, bool) {
	if kept := h.index.Load().Kept; len(kept) > 1 {
		return kept[1], true
	}
	return Version{}, false
}

// Live is the version that went live last, and its bytes; if they are damaged, the
// one before it that is whole. The error is [ErrNone] if there is none.
func (h *History) Live() (Version, []byte, error) {
	for {
		kept := h.index.Load().Kept
		if len(kept) == 0 {
			return Version{}, nil, ErrNone
		}
		file, err := h.File(kept[0].Digest)
		if !errors.Is(err, ErrUnknown) {
			return kept[0], file, err
		}
	}
}

// File is the bytes of a version. The error is [ErrUnknown] if they are not kept,
// or damaged: then the version is forgotten.
func (h *History) File(digest string) ([]byte, error) {
	v, ok := h.index.Load().kept(digest)
	if !ok {
		return nil, ErrUnknown
	}
	file, err := h.folder.readBlob(v)
	if err == nil {
		return file, nil
	}
	if !errors.Is(err, errDigest) && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("versions: %w", err)
	}
	return h.lose(v)
}

// lose forgets a version whose bytes are damaged or gone, unless they have come
// back meanwhile.
func (h *History) lose(v Version) ([]byte, error) {
	h.changing.Lock()
	defer h.changing.Unlock()
	if file, err := h.folder.readBlob(v); err == nil {
		return file, nil
	}
	h.log.Warn(lost, "digest", v.Digest, "source", v.Source)
	if err := h.replace(h.index.Load().lost(v.Digest)); err != nil {
		h.log.Warn("the index of the versions could not be written", "error", err)
	}
	return nil, ErrUnknown
}

// GoLive makes a version the live one, and keeps its bytes. Its digest and size
// are those of the file. The oldest beyond those to keep is forgotten.
func (h *History) GoLive(v Version, file []byte) error {
	if len(file) > maxSize {
		return fmt.Errorf("versions: a file of more than %d bytes is not kept", maxSize)
	}
	v.Digest, v.Size = digestOf(file), len(file)
	h.changing.Lock()
	defer h.changing.Unlock()
	err := h.keepBlob(v, file)
	return told(errors.Join(err, h.replace(h.index.Load().live(v, h.keep))))
}

// keepBlob writes the bytes of a version unless they are there.
func (h *History) keepBlob(v Version, file []byte) error {
	if _, err := h.folder.readBlob(v); err == nil {
		return nil
	}
	return h.folder.write(blob(v.Digest), file)
}

// Refuse notes that a version did not go live: v.Reason says why.
func (h *History) Refuse(v Version) error { return h.judge(v, Refused) }

// RolledBack notes that a version was worse than the one before it, be it as a
// canary or live: then the one before it is the live one again. What v does not
// say is taken from what is known of its digest.
func (h *History) RolledBack(v Version) error { return h.judge(v, RolledBack) }

func (h *History) judge(v Version, state State) error {
	if !digestPattern.MatchString(v.Digest) {
		return fmt.Errorf("versions: %.80q is not a digest", v.Digest)
	}
	h.changing.Lock()
	defer h.changing.Unlock()
	return told(h.replace(h.index.Load().judged(v, state)))
}

// Consider notes the digest of the configured file.
func (h *History) Consider(digest string) error {
	if !digestPattern.MatchString(digest) {
		return fmt.Errorf("versions: %.80q is not a digest", digest)
	}
	h.changing.Lock()
	defer h.changing.Unlock()
	x := *h.index.Load()
	if x.Considered == digest {
		return nil
	}
	x.Considered = digest
	return told(h.replace(x))
}

// replace has another index from now on, and writes it. Bytes go when no index on
// the disk names them.
func (h *History) replace(x index) error {
	before := h.index.Swap(&x)
	text, err := x.encode()
	if err != nil {
		return err
	}
	if err := h.folder.write(indexFile, text); err != nil {
		return err
	}
	for _, v := range before.Kept {
		if _, kept := x.kept(v.Digest); !kept {
			_ = os.Remove(h.folder.path(blob(v.Digest)))
		}
	}
	return nil
}

// told is an error of the disk for people.
func told(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("versions: what went live or was refused is not kept for the next start: %w\n"+
		"hint: is the dir of [versions] full, or not to be written to?", err)
}
