package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fence is the file system that one opened store sees. The first operation that
// fails closes it: whatever the store tries afterwards fails too, so that a store
// that was given up never writes into the files that its successor has opened.
// It also is what makes the difference between the fsync policies: it knows the
// write-ahead log by its name.
type fence struct {
	vfs.FS
	fsync Fsync

	failed  chan struct{} // closed with the first failure
	cause   atomic.Pointer[FaultError]
	after   atomic.Int32 // operations that were tried after the failure
	running atomic.Bool  // the store is neither being opened nor closed
	torn    string       // a log of which only the whole records are shown

	// gate is held by each operation that changes a file, and by who waits for
	// the last of them.
	gate sync.RWMutex

	mu   sync.Mutex
	logs map[*fencedFile]struct{} // write-ahead logs that are not synced
}

// FaultError is what failed in the folder of a journal.
type FaultError struct {
	Op, Path string
	Err      error
	// Damaged: something was read that is not what was written.
	Damaged bool
}

// Error names the operation, the file and the reason.
func (e *FaultError) Error() string {
	hint := "it is tried again until it works: free space, or mount the file system for writing; see relayhost journal check"
	if e.Damaged {
		hint = "stop the host and see relayhost journal check"
	}
	return fmt.Sprintf("the journal cannot be used: %s %s: %v\nhint: %s", e.Op, e.Path, bare(e.Err), hint)
}

// Unwrap is the system's error.
func (e *FaultError) Unwrap() error { return e.Err }

// bare is err without the operation and path that FaultError names itself.
func bare(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}

func newFence(fs vfs.FS, fsync Fsync) *fence {
	return &fence{FS: fs, fsync: fsync, failed: make(chan struct{}), logs: map[*fencedFile]struct{}{}}
}

// fail closes the fence.
func (f *fence) fail(op, path string, err error, damaged bool) {
	if f.cause.CompareAndSwap(nil, &FaultError{Op: op, Path: path, Err: err, Damaged: damaged}) {
		close(f.failed)
	}
}

// err is what closed the fence, nil while it is open.
func (f *fence) err() error {
	if e := f.cause.Load(); e != nil {
		return e
	}
	return nil
}

// shut closes the fence, if it is open, and waits until no operation runs.
func (f *fence) shut(reason string) {
	f.fail("use", "", errors.New(reason), false)
	f.gate.Lock()
	defer f.gate.Unlock()
}

// patience is how many operations a closed fence answers. Pebble's flush tries
// for ever and without a pause; the goroutine of one that does not stop is left
// where it is.
const patience = 200

// do runs an operation that changes something. Pebble takes an error of those on
// tables alone. Any other it answers with a panic, some while it unlocks what is
// not locked, which ends the process. So a goroutine that would get to know of
// such an error never returns.
func (f *fence) do(op, path string, call func() error) error {
	err := f.try(op, path, call)
	if f.mustStop(err) && (f.running.Load() && !strings.HasSuffix(path, ".sst") || f.after.Add(1) > patience) {
		park()
	}
	return err
}

// mustStop reports whether err is one of a closed fence.
func (f *fence) mustStop(err error) bool { return err != nil && f.err() != nil }

func (f *fence) try(op, path string, call func() error) error {
	f.gate.RLock()
	defer f.gate.RUnlock()
	if err := f.err(); err != nil {
		return err
	}
	err := call()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.fail(op, path, err, false)
	}
	return err
}

func isLog(path string) bool { return strings.HasSuffix(path, ".log") }

// park never returns.
func park() { select {} }

// Create makes a file. That a manifest is there must be durable before the file
// that points to it is: pebble syncs the folder once, for both.
func (f *fence) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open("create", name, func() (vfs.File, error) {
		file, err := f.FS.Create(name, c)
		if err != nil || !strings.HasPrefix(f.PathBase(name), "MANIFEST-") {
			return file, err
		}
		if err := syncFolder(f.FS, f.PathDir(name)); err != nil {
			return nil, errors.Join(err, file.Close())
		}
		return file, nil
	})
}

// OpenReadWrite opens a file for writing.
func (f *fence) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.open("open", name, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, c, opts...) })
}

// ReuseForWrite makes a new file of an old one.
func (f *fence) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open("rename", newname, func() (vfs.File, error) { return f.FS.ReuseForWrite(oldname, newname, c) })
}

// OpenDir opens a folder, to sync it.
func (f *fence) OpenDir(name string) (vfs.File, error) {
	d, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &fencedFile{File: d, fence: f, name: name}, nil
}

// Open opens a file for reading.
func (f *fence) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.Open(name, opts...)
	if err != nil {
		return nil, err
	}
	if name == f.torn {
		good, err := whole(f.FS, name)
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		file = &head{File: file, left: good}
	}
	return &fencedFile{File: file, fence: f, name: name}, nil
}

func (f *fence) open(op, name string, call func() (vfs.File, error)) (vfs.File, error) {
	var file vfs.File
	err := f.do(op, name, func() (err error) {
		file, err = call()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &fencedFile{File: file, fence: f, name: name, log: isLog(name)}, nil
}

// Link makes a hard link.
func (f *fence) Link(oldname, newname string) error {
	return f.do("link", newname, func() error { return f.FS.Link(oldname, newname) })
}

// Remove removes a file.
func (f *fence) Remove(name string) error {
	return f.do("remove", name, func() error { return f.FS.Remove(name) })
}

// RemoveAll removes a folder.
func (f *fence) RemoveAll(name string) error {
	return f.do("remove", name, func() error { return f.FS.RemoveAll(name) })
}

// Rename renames a file.
func (f *fence) Rename(oldname, newname string) error {
	return f.do("rename", newname, func() error { return f.FS.Rename(oldname, newname) })
}

// MkdirAll makes a folder.
func (f *fence) MkdirAll(dir string, perm os.FileMode) error {
	return f.do("make folder", dir, func() error { return f.FS.MkdirAll(dir, perm) })
}

// Lock does nothing: the journal holds a lock of its own, longer than a store lives.
func (f *fence) Lock(string) (io.Closer, error) { return nopCloser{}, nil }

// Unwrap is the file system behind the fence.
func (f *fence) Unwrap() vfs.FS { return f.FS }

type nopCloser struct{}

func (nopCloser) Close() error { return nil }

// flush syncs the logs that were written to since it was last called.
func (f *fence) flush() {
	f.mu.Lock()
	logs := f.logs
	f.logs = map[*fencedFile]struct{}{}
	f.mu.Unlock()
	for l := range logs {
		_ = l.syncDirty() // the fence keeps the error
	}
}

// fencedFile is a file of a fence.
type fencedFile struct {
	vfs.File
	fence  *fence
	name   string
	log    bool // a write-ahead log
	failed atomic.Bool

	mu     sync.Mutex
	dirty  bool // a log whose sync was put off
	closed bool
}

// do runs an operation on the file. The first error of a log is for the
// goroutine that writes it, which tells the commit that waits, and stops. A
// second would be for one that begins a new log.
func (f *fencedFile) do(op string, call func() error) error {
	if !f.log || !f.fence.running.Load() {
		return f.fence.do(op, f.name, call)
	}
	err := f.fence.try(op, f.name, call)
	if f.fence.mustStop(err) && (f.failed.Swap(true) || op == "close") {
		park()
	}
	return err
}

// Write appends.
func (f *fencedFile) Write(p []byte) (n int, err error) {
	err = f.do("write", func() (err error) {
		n, err = f.File.Write(p)
		return err
	})
	return n, err
}

// WriteAt writes in place.
func (f *fencedFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.do("write", func() (err error) {
		n, err = f.File.WriteAt(p, off)
		return err
	})
	return n, err
}

// Sync syncs the file, or notes that it should be.
func (f *fencedFile) Sync() error { return f.sync(f.File.Sync) }

// SyncData is Sync without what is about the file.
func (f *fencedFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *fencedFile) sync(call func() error) error {
	if f.log && f.fence.fsync != Always {
		return f.do("sync", f.putOff)
	}
	return f.do("sync", call)
}

func (f *fencedFile) putOff() error {
	f.mu.Lock()
	f.dirty = true
	f.mu.Unlock()
	if f.fence.fsync == Interval {
		f.fence.mu.Lock()
		f.fence.logs[f] = struct{}{}
		f.fence.mu.Unlock()
	}
	return nil
}

// syncDirty makes up for the syncs that were put off.
func (f *fencedFile) syncDirty() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.dirty || f.closed {
		return nil
	}
	f.dirty = false
	return f.fence.try("sync", f.name, f.File.SyncData)
}

// SyncTo begins to sync a part of the file.
func (f *fencedFile) SyncTo(length int64) (full bool, err error) {
	err = f.do("sync", func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

// Preallocate is a wish: a system that cannot is no failure.
func (f *fencedFile) Preallocate(off, length int64) error {
	_ = f.File.Preallocate(off, length)
	return nil
}

// Read reads on.
func (f *fencedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	return n, f.read(err)
}

// ReadAt reads in place.
func (f *fencedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	return n, f.read(err)
}

func (f *fencedFile) read(err error) error {
	if err != nil && !errors.Is(err, io.EOF) {
		f.fence.fail("read", f.name, err, false)
	}
	return err
}

// Close closes the file. A log is on the disk before the next one begins,
// whatever the policy: a store whose older logs have holes is a damaged one.
func (f *fencedFile) Close() error {
	err := f.syncDirty()
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	err = errors.Join(err, f.File.Close())
	if f.log {
		return f.do("close", func() error { return err })
	}
	return err
}
