package journal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	bolt "go.etcd.io/bbolt"

	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/message"
)

const (
	benchPull  = 1000
	benchEvent = 300
)

func benchMessages() []*message.Message {
	all := events(1, benchPull)
	for _, m := range all {
		m.Event = bytes.Repeat([]byte("x"), benchEvent)
	}
	return all
}

// asInUse has the store as it is outside of tests.
func asInUse(b *testing.B) {
	table, sparse := journal.SetMemTable(16<<20), journal.SetSparse(16<<20)
	b.Cleanup(func() { journal.SetMemTable(table); journal.SetSparse(sparse) })
}

// BenchmarkAppend keeps pulls of 1,000 events of 300 bytes, one after the other.
func BenchmarkAppend(b *testing.B) { benchJournal(b, false) }

// BenchmarkSettle keeps them and settles them: what a pipeline asks for.
func BenchmarkSettle(b *testing.B) { benchJournal(b, true) }

func benchJournal(b *testing.B, settling bool) {
	for _, fsync := range []journal.Fsync{journal.Always, journal.Interval, journal.Off} {
		b.Run(string(fsync), func(b *testing.B) {
			asInUse(b)
			j, err := journal.Open(b.TempDir(), journal.Options{Fsync: fsync, MaxBytes: 1 << 40})
			if err != nil {
				b.Fatal(err)
			}
			in, err := j.Inbox(journal.InboxOptions{Pipeline: "a"})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				pulled := benchMessages()
				b.StartTimer()
				if err := in.Append(context.Background(), never, pulled); err != nil {
					b.Fatal(err)
				}
				if settling {
					settle(in, message.Outcome{}, pulled...)
				} else {
					b.StopTimer()
					settle(in, message.Outcome{}, pulled...)
					b.StartTimer()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchPull, "ns/event")
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkStores does the journal's job with the bare stores: a pull is kept in a
// synced commit, and taken out in another, by event or as one value.
func BenchmarkStores(b *testing.B) {
	for name, open := range map[string]func(b *testing.B) bareStore{"bbolt": openBolt, "pebble": openPebble} {
		for _, byEvent := range []bool{true, false} {
			b.Run(name+map[bool]string{true: "/by event", false: "/by pull"}[byEvent], func(b *testing.B) {
				s := open(b)
				event := bytes.Repeat([]byte("x"), benchEvent)
				pull := bytes.Repeat(event, benchPull)
				b.ReportAllocs()
				for n := uint64(0); b.Loop(); n++ {
					keys, value := [][]byte{benchKey(n, 0)}, pull
					if byEvent {
						keys, value = make([][]byte, benchPull), event
						for i := range keys {
							keys[i] = benchKey(n, uint64(i)) //nolint:gosec // small
						}
					}
					if err := s.put(keys, value); err != nil {
						b.Fatal(err)
					}
					if err := s.remove(keys); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchPull, "ns/event")
			})
		}
	}
}

func benchKey(n, i uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, n), i)
}

type bareStore interface {
	put(keys [][]byte, value []byte) error
	remove(keys [][]byte) error
}

type boltStore struct{ *bolt.DB }

func openBolt(b *testing.B) bareStore {
	db, err := bolt.Open(filepath.Join(b.TempDir(), "db"), 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	if err := db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("b")); return err }); err != nil {
		b.Fatal(err)
	}
	return boltStore{db}
}

func (s boltStore) put(keys [][]byte, value []byte) error {
	return s.Update(func(tx *bolt.Tx) error {
		for _, k := range keys {
			if err := tx.Bucket([]byte("b")).Put(k, value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s boltStore) remove(keys [][]byte) error {
	return s.Update(func(tx *bolt.Tx) error {
		for _, k := range keys {
			if err := tx.Bucket([]byte("b")).Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}

type pebbleStore struct{ *pebble.DB }

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}

func openPebble(b *testing.B) bareStore {
	db, err := pebble.Open(b.TempDir(), &pebble.Options{Logger: silent{}, MemTableSize: 16 << 20})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return pebbleStore{db}
}

func (s pebbleStore) put(keys [][]byte, value []byte) error {
	batch := s.NewBatch()
	for _, k := range keys {
		if err := batch.Set(k, value, nil); err != nil {
			return err
		}
	}
	return batch.Commit(pebble.Sync)
}

func (s pebbleStore) remove(keys [][]byte) error {
	batch := s.NewBatch()
	for _, k := range keys {
		if err := batch.Delete(k, nil); err != nil {
			return err
		}
	}
	return batch.Commit(pebble.Sync)
}
