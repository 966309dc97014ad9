package devserver

import (
	"errors"
	"sync"
	"time"
)

// state is all that the server knows. Memory is the truth; with a data
// directory each change is on the disk before it is in memory.
type state struct {
	now   func() time.Time
	disk  *disk
	admin *apiKey

	mu           sync.Mutex
	topics       map[string]*topic       // by name
	destinations map[string]*destination // by id
	keysByKey    map[string]*apiKey
	keysByID     map[string]*apiKey
	lastOffset   int32  // one sequence for all topics
	lastCreated  uint64 // orders topics, destinations and keys by age
}

func openState(o Options) (*state, error) {
	s := &state{
		now: o.Now, disk: &disk{},
		topics: map[string]*topic{}, destinations: map[string]*destination{},
		keysByKey: map[string]*apiKey{}, keysByID: map[string]*apiKey{},
	}
	if o.DataDir != "" {
		var err error
		if s.disk, err = openDisk(o.DataDir); err != nil {
			return nil, err
		}
		if err := s.disk.load(s); err != nil {
			return nil, errors.Join(err, s.disk.close())
		}
	}
	if err := s.ensureAdmin(); err != nil {
		return nil, errors.Join(err, s.disk.close())
	}
	return s, nil
}

func (s *state) ensureAdmin() error {
	for _, k := range s.keysByID {
		if k.Type == typeAdmin {
			s.admin = k
			return nil
		}
	}
	s.admin = newKey(typeAdmin)
	return s.addKey(s.admin)
}

// nextCreated wants s.mu held.
func (s *state) nextCreated() uint64 {
	s.lastCreated++
	return s.lastCreated
}
