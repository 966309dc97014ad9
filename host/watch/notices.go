package watch

import (
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// route is where a change shows.
type route struct {
	dirs  []string
	names []string // full paths in the folders, of which alone a change counts; nil for all
}

// notices are what the operating system tells of. There may be none: then the
// channels are nil, and looks at intervals do it all.
type notices struct {
	watcher *fsnotify.Watcher
	route   route
	log     *slog.Logger
	warned  bool
}

// newWatcher is replaced by a test.
var newWatcher = fsnotify.NewWatcher

func newNotices(o Options) *notices {
	n := &notices{log: o.Logger}
	if o.PollOnly {
		return n
	}
	watcher, err := newWatcher()
	if err != nil {
		n.warn(err)
		return n
	}
	n.watcher = watcher
	return n
}

func (n *notices) warn(err error) {
	if !n.warned {
		n.log.Warn("the operating system tells of no changes to files, so they are looked at every few seconds", "error", err)
	}
	n.warned = true
}

func (n *notices) events() <-chan fsnotify.Event {
	if n.watcher == nil {
		return nil
	}
	return n.watcher.Events
}

// lost tells that notices were lost, or might be.
func (n *notices) lost() <-chan error {
	if n.watcher == nil {
		return nil
	}
	return n.watcher.Errors
}

// follow has changes on the route told, and no others. Adding a folder again is
// how one is found that has been replaced by another of its name.
func (n *notices) follow(r route) {
	if n.watcher == nil {
		return
	}
	for _, dir := range n.watcher.WatchList() {
		if !slices.Contains(r.dirs, dir) {
			_ = n.watcher.Remove(dir) // it may have gone by itself
		}
	}
	for _, dir := range r.dirs {
		if err := n.watcher.Add(dir); err != nil && !gone(err) {
			n.warn(err)
		}
	}
	n.route = r
}

// gone reports whether the folder went away between two looks: the next finds
// another way.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) }

// concern reports whether the notice is of something on the route.
func (n *notices) concern(e fsnotify.Event) bool {
	return n.route.names == nil || slices.Contains(n.route.names, e.Name) || slices.Contains(n.route.dirs, e.Name)
}

func (n *notices) close() {
	if n.watcher != nil {
		_ = n.watcher.Close()
		for range n.watcher.Events { //nolint:revive // closed once its goroutine has ended
		}
	}
}
