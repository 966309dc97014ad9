package watch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// tree is a subject that is all files of a kind below a folder.
type tree struct {
	root  string
	keep  func(path string, dir bool) bool
	limit int64
}

// maxEntries is how many files and folders are watched.
const maxEntries = 20_000

func (t *tree) route() route { return route{dirs: t.walk(nil)} }

func (t *tree) stat() (s stamp, err error) {
	t.walk(func(_ string, info fs.FileInfo) { s = append(s, info) })
	return s, t.there()
}

func (t *tree) there() error {
	_, err := os.Stat(t.root)
	return present(err)
}

// walk visits the files and returns the folders. What cannot be looked at, as a
// file that has just been removed, is left out.
func (t *tree) walk(visit func(path string, info fs.FileInfo)) (dirs []string) {
	count := 0
	_ = filepath.WalkDir(t.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // left out
		}
		if count++; count > maxEntries {
			return fs.SkipAll
		}
		if path != t.root && !t.keep(t.below(path), d.IsDir()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			dirs = append(dirs, path)
		} else if info, err := d.Info(); visit != nil && err == nil && info.Mode().IsRegular() {
			visit(path, info)
		}
		return nil
	})
	return dirs
}

func (t *tree) below(path string) string {
	below, err := filepath.Rel(t.root, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(below)
}

func (t *tree) read() (Content, error) {
	if err := t.there(); err != nil {
		return Content{}, err
	}
	hash, left := sha256.New(), t.limit
	var failed error
	t.walk(func(path string, info fs.FileInfo) {
		if failed != nil {
			return
		}
		if left -= info.Size(); left < 0 {
			failed = fmt.Errorf("the sources in %s have more than %d bytes, which is all that may be read", t.root, t.limit)
			return
		}
		// A name has no NUL and its size goes before the bytes, so that no two trees
		// hash alike.
		fmt.Fprintf(hash, "%s\x00%d\x00", t.below(path), info.Size())
		failed = readInto(hash, path, info.Size())
	})
	return Content{Digest: hex.EncodeToString(hash.Sum(nil))}, failed
}
