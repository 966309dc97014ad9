package watch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"
)

// subject is what is watched.
type subject interface {
	// route is where a change of it shows.
	route() route
	// stat is a look at all but the bytes.
	stat() (stamp, error)
	// read reads it all. Both are [fs.ErrNotExist] if there is nothing.
	read() (Content, error)
}

// stamp is the state of the subject's files. Files of the same stamp have the
// same bytes, but for a change right after the last.
type stamp []fs.FileInfo

func (s stamp) same(other stamp) bool {
	return slices.EqualFunc(s, other, func(a, b fs.FileInfo) bool {
		return a.Name() == b.Name() && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
	})
}

// racy is how coarse a file system's times of change may be: a file that changed
// so recently may have changed again and show the same time.
const racy = 3 * time.Second

func (s stamp) old() bool {
	return !slices.ContainsFunc(s, func(f fs.FileInfo) bool { return time.Since(f.ModTime()) < racy })
}

// seen is what a look has found.
type seen struct {
	stamp   stamp
	content Content
}

// is reports whether two looks have found the same.
func (s *seen) is(other *seen) bool {
	return s != nil && s.stamp.same(other.stamp) && s.content.same(other.content)
}

func (c Content) same(other Content) bool {
	return c.Digest == other.Digest && text(c.Err) == text(other.Err)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// watcher is a subject with what has been told of it.
type watcher struct {
	subject

	options Options
	changed Changed
	notices *notices

	known     string // the digest of the content told last
	fault     string // the error told after it
	candidate *seen  // what may be told if it stays
	quiet     stamp  // what was no news when it was read, and needs no second reading
}

func watch(ctx context.Context, s subject, known string, o Options, changed Changed) {
	w := &watcher{subject: s, options: o, changed: changed, known: known, notices: newNotices(o)}
	defer w.notices.close()
	look := time.NewTimer(0)
	defer look.Stop()
	poll := time.NewTicker(o.Poll)
	defer poll.Stop()
	for due := true; ; {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			if due = w.look(); due {
				look.Reset(o.Settle)
			}
		case notice := <-w.notices.events():
			if !due && w.notices.concern(notice) {
				due = true
				look.Reset(o.Settle / 4) // there may be more of them
			}
		case <-w.notices.lost(): //nolint:errcheck // whatever it was, a look finds what it was about
			due = true
			look.Reset(o.Settle)
		case <-poll.C:
			if !due && w.stale() {
				due = true
				look.Reset(0)
			}
		}
	}
}

// stale reports whether the subject may have changed since it was read.
func (w *watcher) stale() bool {
	w.notices.follow(w.route())
	now, err := w.stat()
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) // the reading says why
	}
	return !now.same(w.quiet) || !now.old()
}

// look reads what is there, and tells it if it is news and was the same at the
// last look. It reports whether another look is needed to know.
func (w *watcher) look() (again bool) {
	w.notices.follow(w.route())
	stamp, _ := w.stat() // the reading meets the same error
	content, err := w.read()
	now := &seen{stamp, content}
	before := w.candidate
	w.candidate, w.quiet = nil, nil
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false
	case err != nil:
		now.content = Content{Err: err}
	}
	if err == nil {
		w.quiet = now.stamp // an error may go away with the stamp the same
	}
	if !w.news(now.content) {
		return false
	}
	if !before.is(now) {
		w.candidate = now
		w.quiet = nil
		return true
	}
	w.tell(now.content)
	return false
}

// news reports whether this is something else than what was told last. Content
// that is back after an error was told before the error.
func (w *watcher) news(c Content) bool {
	if c.Err != nil {
		return text(c.Err) != w.fault
	}
	if c.Digest == w.known {
		w.fault = ""
		return false
	}
	return true
}

func (w *watcher) tell(c Content) {
	w.fault = text(c.Err)
	if c.Err == nil {
		w.known = c.Digest
	}
	w.changed(c)
}
