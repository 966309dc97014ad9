package devserver

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// The file's buckets. Topics, destinations and keys are JSON by id; events are
// the encoded Event by offset, four bytes, big-endian; queues has a bucket for
// each destination: its cursor, and an empty value for each open offset.
var (
	metaBucket         = []byte("meta")
	topicsBucket       = []byte("topics")
	destinationsBucket = []byte("destinations")
	keysBucket         = []byte("keys")
	eventsBucket       = []byte("events")
	queuesBucket       = []byte("queues")

	versionKey    = []byte("version")
	lastOffsetKey = []byte("last_offset")
	cursorKey     = []byte("cursor")
)

const (
	diskFile    = "eventrelay.db"
	diskVersion = "1"
)

// ErrInUse is a data directory that another server has open.
var ErrInUse = errors.New("data directory is in use")

// disk is the file behind the state, or nothing, when db is nil.
type disk struct{ db *bbolt.DB }

func openDisk(dir string) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	path := filepath.Join(dir, diskFile)
	// The shortest timeout that still tries: who holds the lock keeps it.
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 10 * time.Millisecond})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("open data directory %s: %w\nhint: stop the other server, or choose another directory", dir, ErrInUse)
	case err != nil:
		return nil, fmt.Errorf("open data file %s: %w", path, err)
	}
	d := &disk{db: db}
	if err := errors.Join(os.Chmod(path, 0o600), d.prepare()); err != nil {
		return nil, errors.Join(fmt.Errorf("open data file %s: %w", path, err), d.close())
	}
	return d, nil
}

func (d *disk) prepare() error {
	return d.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{metaBucket, topicsBucket, destinationsBucket, keysBucket, eventsBucket, queuesBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(metaBucket)
		switch version := meta.Get(versionKey); {
		case version == nil:
			return meta.Put(versionKey, []byte(diskVersion))
		case string(version) != diskVersion:
			return fmt.Errorf("its version is %q, this program knows %q", version, diskVersion)
		}
		return nil
	})
}

func (d *disk) close() error {
	if d.db == nil {
		return nil
	}
	return d.db.Close()
}

// update runs fn in a transaction that is synced when update returns nil.
func (d *disk) update(what string, fn func(*bbolt.Tx) error) error {
	if d.db == nil {
		return nil
	}
	if err := d.db.Update(fn); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// put keeps a topic, a destination or a key.
func (d *disk) put(bucket []byte, id string, v any) error {
	return d.update("save "+string(bucket), func(tx *bbolt.Tx) error {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return tx.Bucket(bucket).Put([]byte(id), text)
	})
}

// saveEvents keeps records, and the last offset that was given to any.
func (d *disk) saveEvents(records []*record, last int32) error {
	if len(records) == 0 {
		return nil
	}
	return d.update("save events", func(tx *bbolt.Tx) error {
		events := tx.Bucket(eventsBucket)
		events.FillPercent = 1 // keys only grow
		for _, r := range records {
			if err := events.Put(offsetKey(r.offset), r.wire()); err != nil {
				return err
			}
		}
		return tx.Bucket(metaBucket).Put(lastOffsetKey, offsetKey(last))
	})
}

// saveQueue keeps what changed in the destination's queue.
func (d *disk) saveQueue(dest *destination, log []*record) error {
	q := &dest.queue
	err := d.update("save queue", func(tx *bbolt.Tx) error {
		b, err := tx.Bucket(queuesBucket).CreateBucketIfNotExists([]byte(dest.ID))
		if err != nil {
			return err
		}
		for offset, open := range q.dirty {
			if err := mark(b, offset, open); err != nil {
				return err
			}
		}
		return b.Put(cursorKey, offsetKey(q.cursor(log)))
	})
	if err == nil {
		clear(q.dirty)
	}
	return err
}

func mark(b *bbolt.Bucket, offset int32, open bool) error {
	if open {
		return b.Put(offsetKey(offset), nil)
	}
	return b.Delete(offsetKey(offset))
}

func (d *disk) deleteDestination(id string) error {
	return d.update("delete destination", func(tx *bbolt.Tx) error {
		err := tx.Bucket(queuesBucket).DeleteBucket([]byte(id))
		if err != nil && !errors.Is(err, berrors.ErrBucketNotFound) {
			return err
		}
		return tx.Bucket(destinationsBucket).Delete([]byte(id))
	})
}

func (d *disk) deleteTopic(t *topic) error {
	return d.update("delete topic", func(tx *bbolt.Tx) error {
		for _, r := range t.log {
			if err := tx.Bucket(eventsBucket).Delete(offsetKey(r.offset)); err != nil {
				return err
			}
		}
		return tx.Bucket(topicsBucket).Delete([]byte(t.ID))
	})
}

func offsetKey(offset int32) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(offset))
}
