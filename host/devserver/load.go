package devserver

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// load fills an empty state from the file.
func (d *disk) load(s *state) error {
	return d.db.View(func(tx *bbolt.Tx) error {
		for _, step := range []func(*bbolt.Tx) error{s.loadTopics, s.loadKeys, s.loadEvents, s.loadDestinations} {
			if err := step(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *state) loadTopics(tx *bbolt.Tx) error {
	return each(tx, topicsBucket, func(t *topic) error {
		s.topics[t.Name] = t
		s.lastCreated = max(s.lastCreated, t.Created)
		return nil
	})
}

func (s *state) loadKeys(tx *bbolt.Tx) error {
	return each(tx, keysBucket, func(k *apiKey) error {
		s.keysByKey[k.Key], s.keysByID[k.ID] = k, k
		s.lastCreated = max(s.lastCreated, k.Created)
		return nil
	})
}

func (s *state) loadEvents(tx *bbolt.Tx) error {
	s.lastOffset = readOffset(tx.Bucket(metaBucket).Get(lastOffsetKey))
	return tx.Bucket(eventsBucket).ForEach(func(k, wire []byte) error {
		e := new(pb.Event)
		if err := proto.Unmarshal(wire, e); err != nil {
			return fmt.Errorf("load event %x: %w", k, err)
		}
		r, err := newRecord(e)
		if err != nil {
			return fmt.Errorf("load event %x: %w", k, err)
		}
		name, _ := splitTopic(e.GetTopic())
		t := s.topics[name]
		if t == nil {
			return fmt.Errorf("load event %x: no topic %q", k, name)
		}
		t.log = append(t.log, r)
		return nil
	})
}

func (s *state) loadDestinations(tx *bbolt.Tx) error {
	return each(tx, destinationsBucket, func(d *destination) error {
		t := s.topics[d.TopicName]
		if t == nil {
			return fmt.Errorf("load destination %s: no topic %q", d.ID, d.TopicName)
		}
		filter, err := d.filter()
		if err != nil {
			return fmt.Errorf("load destination %s: %w", d.ID, err)
		}
		d.queue = newQueue(filter)
		cursor, open, err := loadQueue(tx.Bucket(queuesBucket).Bucket([]byte(d.ID)))
		if err != nil {
			return fmt.Errorf("load queue of destination %s: %w", d.ID, err)
		}
		d.queue.restore(t.log, cursor, open)
		s.destinations[d.ID] = d
		s.lastCreated = max(s.lastCreated, d.Created)
		return nil
	})
}

// loadQueue reads a queue's bucket, which is nil before the first pull.
func loadQueue(b *bbolt.Bucket) (cursor int32, open []int32, err error) {
	if b == nil {
		return 0, nil, nil
	}
	err = b.ForEach(func(k, v []byte) error {
		if bytes.Equal(k, cursorKey) {
			cursor = readOffset(v)
		} else {
			open = append(open, readOffset(k))
		}
		return nil
	})
	return cursor, open, err
}

func each[T any](tx *bbolt.Tx, bucket []byte, fn func(*T) error) error {
	return tx.Bucket(bucket).ForEach(func(id, text []byte) error {
		v := new(T)
		if err := json.Unmarshal(text, v); err != nil {
			return fmt.Errorf("load %s %s: %w", bucket, id, err)
		}
		return fn(v)
	})
}

// readOffset takes anything but four bytes for 0.
func readOffset(b []byte) int32 {
	if len(b) != 4 {
		return 0
	}
	return int32(binary.BigEndian.Uint32(b))
}
