package watch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// file is a subject that is one file.
type file struct {
	path  string
	limit int64
}

func (f *file) stat() (stamp, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, present(err)
	}
	return stamp{info}, nil
}

func (f *file) read() (Content, error) {
	var data bytes.Buffer
	if err := readInto(&data, f.path, f.limit); err != nil {
		return Content{}, err
	}
	sum := sha256.Sum256(data.Bytes())
	return Content{Data: data.Bytes(), Digest: hex.EncodeToString(sum[:])}, nil
}

// readInto reads a regular file of at most limit bytes. Anything else is not
// opened: opening a pipe would wait for its writer.
func readInto(w io.Writer, path string, limit int64) error {
	info, err := os.Stat(path)
	if err != nil {
		return present(err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	tooLarge := fmt.Errorf("%s has more than %d bytes, which is all that may be read", path, limit)
	if info.Size() > limit {
		return tooLarge
	}
	f, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return present(err)
	}
	defer f.Close() //nolint:errcheck // only read
	n, err := io.Copy(w, io.LimitReader(f, limit+1))
	if err == nil && n > limit {
		return tooLarge
	}
	return err
}

// present makes all errors that mean that there is no such file one.
func present(err error) error {
	if gone(err) {
		return fs.ErrNotExist
	}
	return err
}

// maxLinks is how many symbolic links a path may go through, as in the kernel.
const maxLinks = 40

// route is found by walking the path as the kernel does. What is watched are the
// folders of symbolic links, which can be replaced, and that of the file or of
// the first thing that is missing.
func (f *file) route() (r route) {
	path, err := filepath.Abs(f.path)
	if err != nil {
		return route{names: []string{}}
	}
	watch := func(path string) {
		r.dirs, r.names = append(r.dirs, filepath.Dir(path)), append(r.names, path)
	}
	for range maxLinks {
		at, target := firstLink(path)
		watch(at)
		if target == "" {
			break
		}
		path = target
	}
	return r
}

// firstLink walks a clean path up to the first symbolic link on it, and returns
// where that is and what the path is once it is replaced by what it points to.
// With none on it, target is empty and at is the path, or what of it is missing
// first.
func firstLink(path string) (at, target string) {
	for end := len(filepath.VolumeName(path)) + 1; ; end++ {
		for end < len(path) && !os.IsPathSeparator(path[end]) {
			end++
		}
		at = path[:end]
		info, err := os.Lstat(at)
		if err != nil {
			return at, ""
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return at, behind(at, path[end:])
		}
		if end >= len(path) {
			return at, ""
		}
	}
}

// behind is what a link points to, with the rest of the path; empty if it is no
// link any more.
func behind(link, rest string) string {
	to, err := os.Readlink(link)
	if err != nil {
		return ""
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(filepath.Dir(link), to)
	}
	return filepath.Join(to, rest)
}
