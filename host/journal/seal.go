package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A journal that was closed in order leaves its books beside the store, so that
// a store whose end is missing does not pass for one that was used less.
const sealName = "closed"

func sealPath(f vfs.FS, store string) string { return f.PathJoin(store, sealName) }

// seal notes that the journal was closed.
func (j *Journal) seal() error {
	f, path := j.o.FS, sealPath(j.o.FS, j.storeDir())
	if err := writeFile(f, path+".tmp", appendBooks(nil, j.books)); err != nil {
		return err
	}
	return moveFolder(f, j.storeDir(), path+".tmp", path)
}

func writeFile(f vfs.FS, path string, data []byte) error {
	file, err := f.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

// unseal notes that it is open again.
func (j *Journal) unseal() error {
	err := j.o.FS.Remove(sealPath(j.o.FS, j.storeDir()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncFolder(j.o.FS, j.storeDir()))
}

// checkSeal compares the books of a store with those that it was closed with.
func checkSeal(f vfs.FS, store string, found books) error {
	file, err := f.Open(sealPath(f, store))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(file, 1024))
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	sealed, err := decodeBooks(data)
	if err != nil {
		return fmt.Errorf("%s: %w", sealName, err)
	}
	if sealed != found {
		return fmt.Errorf("its end is missing: it was closed after commit %d with %s, and holds commit %d with %s",
			sealed.commits, sealed, found.commits, found)
	}
	return nil
}
