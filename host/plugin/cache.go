package plugin

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
)

const (
	// cacheSubdir is the engine's own directory in Options.CacheDir, so that no
	// permissions of the user's directory need to change.
	cacheSubdir = "compiled"
	sumSuffix   = ".sum"
)

// diskCache is wazero's compilation cache with a checksum beside every entry.
//
// What wazero reads from its cache it runs as machine code. It checksums the
// code but not the table of where each function begins, so a single flipped
// bit could send a call anywhere. Hence nothing without a valid checksum of the
// whole file is left in the directory when wazero looks into it.
type diskCache struct {
	parent  string // the directory that dir is in
	dir     string
	wazero  wazero.CompilationCache
	checked map[string]stamp // the entries known to be good
}

// stamp is what an entry looked like when it was checked.
type stamp struct {
	size     int64
	modified time.Time
}

func openCache(dir string) (*diskCache, error) {
	parent := dir
	dir, err := privateDir(parent)
	if err != nil {
		return nil, err
	}
	probe, err := os.CreateTemp(dir, "probe-*")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return nil, err
	}
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, err
	}
	return &diskCache{parent: parent, dir: dir, wazero: cache, checked: make(map[string]stamp)}, nil
}

// privateDir makes the cache's directory, or makes sure that nobody else can
// have put code into it.
func privateDir(parent string) (string, error) {
	dir := filepath.Join(parent, cacheSubdir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return "", err
	case !info.IsDir():
		return "", fmt.Errorf("%s is not a directory", dir)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("%s is open to other users\nhint: chmod 700 %s", dir, dir)
	case !ownedByUs(info):
		return "", fmt.Errorf("%s belongs to another user", dir)
	}
	return dir, nil
}

func (c *diskCache) close(ctx context.Context) error { return c.wazero.Close(ctx) }

// purge removes every entry that does not have its checksum, and returns how
// many. It fails if one cannot be removed.
func (c *diskCache) purge() (removed int, err error) {
	for path, info := range c.entries() {
		if c.checked[path] == info {
			continue
		}
		if c.intact(path) {
			c.checked[path] = info
			continue
		}
		delete(c.checked, path)
		if err := errors.Join(os.RemoveAll(path), os.RemoveAll(path+sumSuffix)); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// seal writes the checksums of the entries that wazero has added. An entry
// that cannot be sealed is compiled again next time, no more.
func (c *diskCache) seal() {
	for path, info := range c.entries() {
		if c.checked[path] == info {
			continue
		}
		sum, err := checksum(path)
		if err != nil {
			continue
		}
		if os.WriteFile(path+sumSuffix, []byte(sum), 0o600) == nil {
			c.checked[path] = info
		}
	}
}

// entries lists wazero's files: one directory for its version and the machine,
// in it one file for each module, named by 64 hex digits.
func (c *diskCache) entries() map[string]stamp {
	entries := make(map[string]stamp)
	names, _ := fs.Glob(os.DirFS(c.dir), "*/*")
	for _, name := range names {
		path := filepath.Join(c.dir, filepath.FromSlash(name))
		if info, err := os.Lstat(path); err == nil && len(info.Name()) == 2*sha256.Size {
			entries[path] = stamp{size: info.Size(), modified: info.ModTime()}
		}
	}
	return entries
}

func (c *diskCache) intact(path string) bool {
	sum, err := checksum(path)
	if err != nil {
		return false
	}
	want, err := os.ReadFile(path + sumSuffix)
	return err == nil && string(want) == sum
}

func checksum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // only read
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x\n", hash.Sum(nil)), nil
}
