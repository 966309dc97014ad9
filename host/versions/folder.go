package versions

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// folder is where the versions of one pipeline are.
type folder string

const (
	indexFile = "index.json"
	// unfinished is how the files begin that a crash leaves half written.
	unfinished = ".unfinished-"
)

var (
	errNotRegular = errors.New("not a regular file")
	errTooLarge   = errors.New("larger than it may be")
	errDigest     = errors.New("its bytes do not have its digest")

	// ours are the files that may be removed.
	ours = regexp.MustCompile(`^([0-9a-f]{64}\.wasm|\` + unfinished + `[0-9]+)$`)
)

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

func blob(digest string) string { return digest + ".wasm" }

// readIndex reads the index; an empty one if there is none.
func (f folder) readIndex() (index, error) {
	text, err := f.read(indexFile, maxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		return index{}, nil
	}
	if err != nil {
		return index{}, err
	}
	return parseIndex(text)
}

// readBlob reads the bytes of a version. The error is [errDigest] if they are
// not.
func (f folder) readBlob(v Version) ([]byte, error) {
	file, err := f.read(blob(v.Digest), v.Size)
	if errors.Is(err, errTooLarge) || errors.Is(err, errNotRegular) {
		return nil, errDigest
	}
	if err == nil && digestOf(file) != v.Digest {
		return nil, errDigest
	}
	return file, err
}

// has reports whether the bytes of a version seem to be there.
func (f folder) has(v Version) bool {
	info, err := os.Lstat(f.path(blob(v.Digest)))
	return err == nil && info.Size() == int64(v.Size)
}

// read reads a regular file of at most so many bytes. Another is not opened,
// since that may block.
func (f folder) read(name string, most int) ([]byte, error) {
	info, err := os.Lstat(f.path(name))
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	file, err := os.Open(f.path(name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, int64(most)+1))
	if err == nil && len(data) > most {
		return nil, errTooLarge
	}
	return data, err
}

// write replaces a file as a whole, and has it on the disk when it returns.
func (f folder) write(name string, data []byte) (err error) {
	if err := f.make(); err != nil {
		return err
	}
	file, err := os.CreateTemp(string(f), unfinished)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), f.path(name)); err != nil {
		return err
	}
	return syncFolder(string(f))
}

// make makes the folder if it is not there.
func (f folder) make() error {
	if _, err := os.Stat(string(f)); err == nil {
		return nil
	}
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(string(f)))
}

// syncFolder has the names in a folder on the disk. Windows does that by itself,
// and knows no other way.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// setAside renames the folder, in place of one that was set aside before.
func (f folder) setAside() (to string, err error) {
	to = string(f) + ".damaged"
	if err := os.RemoveAll(to); err != nil {
		return to, err
	}
	return to, os.Rename(string(f), to)
}

// sweep removes what a crash has left, and the bytes of versions that are no
// longer kept. What cannot be removed does no harm.
func (f folder) sweep(x index) {
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return
	}
	for _, e := range entries {
		if !ours.MatchString(e.Name()) {
			continue
		}
		digest := strings.TrimSuffix(e.Name(), ".wasm")
		if _, kept := x.kept(digest); !kept {
			_ = os.Remove(f.path(e.Name()))
		}
	}
}
