package watch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
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

func (t *tree) route() route {
	var dirs []string
	_ = t.walk(func(path, _ string, info fs.FileInfo) error {
		if info.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	return route{dirs: dirs}
}

func (t *tree) stat() (s stamp, err error) {
	err = t.walk(func(_, _ string, info fs.FileInfo) error {
		if info.Mode().IsRegular() {
			s = append(s, info)
		}
		return nil
	})
	return s, err
}

func (t *tree) read() (Content, error) {
	hash, left := sha256.New(), t.limit
	err := t.walk(func(path, below string, info fs.FileInfo) error {
		if !info.Mode().IsRegular() {
			return nil
		}
		if left -= info.Size(); left < 0 {
			return fmt.Errorf("the sources in %s have more than %d bytes, which is all that may be read", t.root, t.limit)
		}
		// A name has no NUL and its size goes before the bytes, so that no two trees
		// hash alike.
		_, _ = fmt.Fprintf(hash, "%s\x00%d\x00", below, info.Size())
		return readInto(hash, path, info.Size())
	})
	return Content{Digest: hex.EncodeToString(hash.Sum(nil))}, err
}

// walk visits what is kept, root first, which alone may be a link. What has gone
// when it is looked at is left out.
func (t *tree) walk(visit func(path, below string, info fs.FileInfo) error) error {
	root, err := filepath.EvalSymlinks(t.root)
	if err != nil {
		return present(err)
	}
	count := 0
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if count++; count > maxEntries {
			return fmt.Errorf("%s has more than %d files and folders, which is all that may be watched", t.root, maxEntries)
		}
		below, _ := filepath.Rel(root, path) // is below it
		below = filepath.ToSlash(below)
		switch {
		case err != nil:
			return nil //nolint:nilerr // gone, or a folder that nobody may look into
		case path == root || t.keep(below, d.IsDir()):
		case d.IsDir():
			return fs.SkipDir
		default:
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // gone
		}
		return visit(path, below, info)
	})
}
