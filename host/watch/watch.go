// Package watch tells of the new content of a file, or of a folder of sources,
// soon after it is there and never before it is whole. Use [File]; [Tree] is for
// sources that are built.
//
// What counts is content, by its SHA-256: a touch tells nothing, nor does a
// rewrite with the same bytes. Content is whole when two looks, [Options.Settle]
// apart, find the same size, time of change and bytes; a writer that goes on is
// waited for. What vanishes tells nothing until it is back.
//
// The operating system tells of changes in the folders on the way to the file,
// which are its own and that of each symbolic link, so that an atomic rename is
// seen, and the swap of ..data by which Kubernetes updates a ConfigMap. Network
// file systems tell nothing: there, and wherever else that fails, a look every
// [Options.Poll] finds the change.
package watch

import (
	"cmp"
	"context"
	"log/slog"
	"time"
)

// Options are how to watch. Zero fields mean their defaults.
type Options struct {
	// Poll is the time between two looks where the operating system tells
	// nothing, 2s by default.
	Poll time.Duration
	// Settle is for how long content must be the same, 200ms by default.
	Settle time.Duration
	// Limit is the most bytes that are read, of a tree of all its files together,
	// 64 MiB by default. More is told as an error.
	Limit int64
	// PollOnly does without the operating system.
	PollOnly bool
	// Logger gets a warning if the operating system cannot tell of changes.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	o.Poll = cmp.Or(o.Poll, 2*time.Second)
	o.Settle = cmp.Or(o.Settle, 200*time.Millisecond)
	o.Limit = cmp.Or(o.Limit, 64<<20)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	return o
}

// Content is what there is now.
type Content struct {
	// Data is the file's; nil of a tree.
	Data []byte
	// Digest is the SHA-256 of the data in hex; of a tree, of all names and files.
	Digest string
	// Err is why there is something that cannot be read, which is told once.
	Err error
}

// Changed is called with new content, always from the goroutine that watches.
// While it runs nothing else is told; what comes meanwhile is told after it, but
// the newest alone.
type Changed func(Content)

// File watches until ctx ends. It begins with a look: what is there is told
// unless its digest is known.
func File(ctx context.Context, path, known string, o Options, changed Changed) {
	o = o.withDefaults()
	watch(ctx, &file{path: path, limit: o.Limit}, known, o, changed)
}

// Tree watches the regular files in a folder and the folders in it until ctx
// ends, as [File] does. A file counts, and a folder is entered, if keep says so
// of its path below root, which has slashes. Symbolic links are not followed.
func Tree(ctx context.Context, root string, keep func(path string, dir bool) bool, known string, o Options, changed Changed) {
	o = o.withDefaults()
	watch(ctx, &tree{root: root, keep: keep, limit: o.Limit}, known, o, changed)
}
