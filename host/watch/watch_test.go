package watch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/watch"
)

// watched is a file that is watched, in a folder of its own.
type watched struct {
	*testing.T

	dir, path string
	told      chan watch.Content
	pause     func() // long enough for anything to be told
}

func newWatched(t *testing.T) *watched {
	dir := t.TempDir()
	return &watched{T: t, dir: dir, path: filepath.Join(dir, "plugin.wasm"), told: make(chan watch.Content, 16), pause: func() {}}
}

// start watches until stop is called.
func (w *watched) start(known string, o watch.Options) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		watch.File(ctx, w.path, known, o, func(c watch.Content) { w.told <- c })
	}()
	return func() {
		cancel()
		<-ended
	}
}

func (w *watched) next() watch.Content {
	w.Helper()
	select {
	case c := <-w.told:
		return c
	case <-time.After(time.Minute):
		w.Fatal("nothing was told")
		return watch.Content{}
	}
}

// want takes the next content that is told.
func (w *watched) want(data string) {
	w.Helper()
	c := w.next()
	if c.Err != nil || string(c.Data) != data || c.Digest != digest(data) {
		w.Fatalf("told %.20q, %v, want %.20q", c.Data, c.Err, data)
	}
}

func (w *watched) wantError(part string) {
	w.Helper()
	if c := w.next(); c.Err == nil || !strings.Contains(c.Err.Error(), part) || c.Data != nil {
		w.Fatalf("told %.20q, %v, want an error with %q", c.Data, c.Err, part)
	}
}

func (w *watched) nothing() {
	w.Helper()
	select {
	case c := <-w.told:
		w.Fatalf("told %.20q, %v, want nothing", c.Data, c.Err)
	default:
	}
}

func digest(data string) string {
	sum := sha256.Sum256([]byte(data))
	return hex.EncodeToString(sum[:])
}

func (w *watched) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// write writes in place, but never shows a file that has been emptied: it may well
// be told of if the machine is slow.
func (w *watched) write(data string) {
	w.Helper()
	f, err := os.OpenFile(w.path, os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		w.replace(data)
		return
	}
	w.ok(err)
	_, err = f.WriteAt([]byte(data), 0)
	w.ok(errors.Join(err, f.Truncate(int64(len(data))), f.Close()))
}

// replace writes beside the file and renames.
func (w *watched) replace(data string) {
	w.Helper()
	w.ok(os.WriteFile(w.path+".new", []byte(data), 0o600))
	w.ok(os.Rename(w.path+".new", w.path))
}

// project updates the folder's files as Kubernetes does it: in a new folder,
// which the link ..data is then swapped to by a rename.
func (w *watched) project(version, data string) {
	w.Helper()
	old, _ := os.Readlink(filepath.Join(w.dir, "..data"))
	folder := "..2026_" + version
	w.ok(os.Mkdir(filepath.Join(w.dir, folder), 0o700))
	w.ok(os.WriteFile(filepath.Join(w.dir, folder, "plugin.wasm"), []byte(data), 0o600))
	w.ok(os.Symlink(folder, filepath.Join(w.dir, "..data_tmp")))
	w.ok(os.Rename(filepath.Join(w.dir, "..data_tmp"), filepath.Join(w.dir, "..data")))
	if old != "" {
		w.ok(os.RemoveAll(filepath.Join(w.dir, old)))
	}
}

// scenarios change what is there; before tells what is there at first. The last
// change of each tells "new", and the ones before it nothing.
var scenarios = []struct {
	name          string
	before, after func(w *watched)
}{
	{"write in place", nil, func(w *watched) { w.write("new") }},
	{"rename over it", nil, func(w *watched) { w.replace("new") }},
	{"touch", nil, func(w *watched) {
		w.ok(os.Chtimes(w.path, time.Now(), time.Now()))
		w.pause()
		w.write("new")
	}},
	{"the same bytes", nil, func(w *watched) {
		w.write("old")
		w.pause()
		w.replace("old")
		w.pause()
		w.write("new")
	}},
	{"size and time of change the same", nil, func(w *watched) {
		info, err := os.Stat(w.path)
		w.ok(err)
		w.ok(os.WriteFile(w.path+".new", []byte("new"), 0o600))
		w.ok(os.Chtimes(w.path+".new", info.ModTime(), info.ModTime()))
		w.ok(os.Rename(w.path+".new", w.path))
	}},
	{"removed and created", nil, func(w *watched) {
		w.ok(os.Remove(w.path))
		w.pause()
		w.write("old")
		w.pause()
		w.ok(os.Remove(w.path))
		w.pause()
		w.write("new")
	}},
	{"its folder removed and created", func(w *watched) {
		w.path = filepath.Join(w.dir, "plugins", "go", "plugin.wasm")
		w.ok(os.MkdirAll(filepath.Dir(w.path), 0o700))
		w.write("old")
	}, func(w *watched) {
		w.ok(os.RemoveAll(filepath.Join(w.dir, "plugins")))
		w.pause()
		w.ok(os.MkdirAll(filepath.Dir(w.path), 0o700))
		w.write("new")
	}},
	{"its folder replaced by another", func(w *watched) {
		w.path = filepath.Join(w.dir, "plugins", "plugin.wasm")
		w.ok(os.Mkdir(filepath.Dir(w.path), 0o700))
		w.write("old")
	}, func(w *watched) {
		w.ok(os.Rename(filepath.Dir(w.path), filepath.Join(w.dir, "before")))
		w.ok(os.Mkdir(filepath.Dir(w.path), 0o700))
		w.pause()
		w.write("new")
	}},
	{"a ConfigMap", func(w *watched) {
		w.project("1", "old")
		w.ok(os.Symlink(filepath.Join("..data", "plugin.wasm"), w.path))
	}, func(w *watched) {
		w.project("2", "old")
		w.pause()
		w.project("3", "new")
	}},
	{"what a link points to", func(w *watched) {
		w.ok(os.Mkdir(filepath.Join(w.dir, "builds"), 0o700))
		link := w.path
		w.path = filepath.Join(w.dir, "builds", "plugin.wasm")
		w.write("old")
		w.ok(os.Symlink(w.path, link))
		w.path = link
	}, func(w *watched) { w.write("new") }},
	{"something beside it", nil, func(w *watched) {
		w.ok(os.WriteFile(filepath.Join(w.dir, "other.wasm"), []byte("other"), 0o600))
		w.pause()
		w.write("new")
	}},
}

// The operating system alone tells of it: nothing is polled for.
func TestNotices(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			w := newWatched(t)
			if s.before == nil {
				w.write("old")
			} else {
				s.before(w)
			}
			defer w.start("", watch.Options{Poll: time.Hour, Settle: 20 * time.Millisecond})()
			w.want("old")
			s.after(w)
			w.want("new")
		})
	}
}

func TestPolling(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			polled(t, func(w *watched) {
				if s.before == nil {
					w.write("old")
				} else {
					s.before(w)
				}
				defer w.start("", watch.Options{PollOnly: true})()
				w.want("old")
				w.pause()
				s.after(w)
				w.want("new")
				w.pause()
				w.nothing()
			})
		})
	}
}

// polled runs in virtual time.
func polled(t *testing.T, run func(w *watched)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.pause = func() { time.Sleep(time.Minute); synctest.Wait() }
		run(w)
	})
}

func TestHalfWritten(t *testing.T) {
	polled(t, func(w *watched) {
		w.write("old")
		defer w.start(digest("old"), watch.Options{PollOnly: true, Poll: time.Second, Settle: 200 * time.Millisecond})()
		w.pause()
		f, err := os.Create(w.path)
		w.ok(err)
		for range 100 { // slowly, but never as slow as Settle
			_, err = f.WriteString("part ")
			w.ok(err)
			time.Sleep(199 * time.Millisecond)
			w.nothing()
		}
		w.ok(f.Close())
		w.want(strings.Repeat("part ", 100))
	})
}

func TestNewestAlone(t *testing.T) {
	polled(t, func(w *watched) {
		w.write("1")
		held := make(chan struct{})
		told := w.told
		ctx, cancel := context.WithCancel(w.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			watch.File(ctx, w.path, "", watch.Options{PollOnly: true}, func(c watch.Content) {
				told <- c
				<-held
			})
		}()
		w.want("1")
		for _, data := range []string{"2", "3", "4"} {
			w.write(data)
			w.pause()
		}
		close(held)
		w.want("4")
		w.pause()
		w.nothing()
		cancel()
		<-ended
	})
}

func TestKnown(t *testing.T) {
	polled(t, func(w *watched) {
		w.write("known")
		defer w.start(digest("known"), watch.Options{PollOnly: true})()
		w.pause()
		w.nothing()
		w.write("new")
		w.want("new")
		w.write("known") // the way back is news
		w.want("known")
	})
}

func TestNotThereYet(t *testing.T) {
	polled(t, func(w *watched) {
		w.path = filepath.Join(w.dir, "later", "plugin.wasm")
		defer w.start("", watch.Options{PollOnly: true})()
		w.pause()
		w.nothing()
		w.ok(os.Mkdir(filepath.Dir(w.path), 0o700))
		w.write("new")
		w.want("new")
	})
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		spoil, mend func(w *watched)
		want        string
	}{
		"too large":  {func(w *watched) { w.write(strings.Repeat("x", 1001)) }, func(w *watched) { w.write("old") }, "more than 1000 bytes"},
		"no file":    {func(w *watched) { w.ok(os.Remove(w.path)); w.ok(os.Mkdir(w.path, 0o700)) }, func(w *watched) { w.ok(os.Remove(w.path)); w.write("old") }, "not a regular file"},
		"unreadable": {func(w *watched) { w.ok(os.Chmod(w.path, 0)); w.touch() }, func(w *watched) { w.ok(os.Chmod(w.path, 0o600)) }, "permission denied"},
		"link to itself": {func(w *watched) { w.ok(os.Remove(w.path)); w.ok(os.Symlink(w.path, w.path)) },
			func(w *watched) { w.ok(os.Remove(w.path)); w.write("old") }, "symbolic links"},
	} {
		if name == "unreadable" && os.Getuid() == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			polled(t, func(w *watched) {
				w.write("old")
				defer w.start("", watch.Options{PollOnly: true, Limit: 1000})()
				w.want("old")
				for range 2 { // once each time
					c.spoil(w)
					w.wantError(c.want)
					w.pause()
					c.mend(w)
					w.pause()
					w.nothing() // what was told before is back
				}
				w.write("new")
				w.want("new")
			})
		})
	}
}

func (w *watched) touch() { w.ok(os.Chtimes(w.path, time.Now(), time.Now())) }

// A host that may have no more of the operating system's watchers polls, and says
// so once.
func TestWithoutNotices(t *testing.T) {
	defer watch.WithoutNotices(errors.New("too many open files"))()
	polled(t, func(w *watched) {
		var log bytes.Buffer
		w.write("old")
		stop := w.start("", watch.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		w.want("old")
		w.write("new")
		w.want("new")
		stop()
		if got := log.String(); strings.Count(got, "level=WARN") != 1 || !strings.Contains(got, "too many open files") {
			t.Error(got)
		}
	})
}

// Watching leaves no file open.
func TestFilesGivenBack(t *testing.T) {
	open := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(files)
	}
	w := newWatched(t)
	w.write("old")
	w.start("", watch.Options{})()
	before := open()
	for range 50 {
		w.start(digest("old"), watch.Options{})()
	}
	if after := open(); after > before {
		t.Errorf("%d files are open, and %d were before", after, before)
	}
}

func TestTree(t *testing.T) {
	keep := func(path string, dir bool) bool { return dir && path != "sub/target" || strings.HasSuffix(path, ".go") }
	polled(t, func(w *watched) {
		link := filepath.Join(w.TempDir(), "link")
		w.ok(os.Symlink(w.dir, link))
		ctx, cancel := context.WithCancel(w.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			watch.Tree(ctx, link, keep, "", watch.Options{PollOnly: true, Limit: 1000}, func(c watch.Content) { w.told <- c })
		}()
		seen := map[string]bool{w.next().Digest: true}
		for _, s := range []struct {
			name, data string
			news       bool
		}{
			{"main.go", "package main", true},
			{"main.go", "package main // changed", true},
			{"README.md", "no source", false},
			{"sub/other.go", "package sub", true},
			{"sub/target/built.go", "package built", false},
			{"sub/renamed.go", "package sub", true},
		} {
			path := filepath.Join(w.dir, s.name)
			w.ok(os.MkdirAll(filepath.Dir(path), 0o700))
			w.ok(os.WriteFile(path, []byte(s.data), 0o600))
			if !s.news {
				w.pause()
				w.nothing()
				continue
			}
			if c := w.next(); c.Err != nil || seen[c.Digest] {
				w.Errorf("%s: %+v", s.name, c)
			} else {
				seen[c.Digest] = true
			}
		}
		w.ok(os.WriteFile(filepath.Join(w.dir, "large.go"), make([]byte, 1000), 0o600))
		w.wantError("more than 1000 bytes")
		cancel()
		<-ended
	})
}

// A folder that is new has its files told of as well.
func TestTreeNotices(t *testing.T) {
	w := newWatched(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		keep := func(string, bool) bool { return true }
		watch.Tree(ctx, w.dir, keep, "", watch.Options{Poll: time.Hour, Settle: 20 * time.Millisecond}, func(c watch.Content) { w.told <- c })
	}()
	first := w.next().Digest
	w.ok(os.MkdirAll(filepath.Join(w.dir, "a", "b"), 0o700))
	w.ok(os.WriteFile(filepath.Join(w.dir, "a", "b", "c.go"), []byte("package c"), 0o600))
	if c := w.next(); c.Err != nil || c.Digest == first {
		t.Errorf("%+v", c)
	}
	cancel()
	<-ended
}
