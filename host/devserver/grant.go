package devserver

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func (s *state) addTopics(id string, names []string) ([]string, error) {
	return s.grant(id, typeProducer, names, true)
}

func (s *state) removeTopics(id string, names []string) ([]string, error) {
	return s.grant(id, typeProducer, names, false)
}

func (s *state) addDestinations(id string, ids []string) ([]string, error) {
	return s.grant(id, typeConsumer, ids, true)
}

func (s *state) removeDestinations(id string, ids []string) ([]string, error) {
	return s.grant(id, typeConsumer, ids, false)
}

// grant gives things to the key, or takes them back, and returns those that
// changed hands: topics of a producer, destinations of a consumer. What does
// not exist is passed over.
func (s *state) grant(id, kind string, things []string, give bool) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.key(id)
	switch {
	case err != nil:
		return nil, err
	case give && k.Revoked:
		return nil, status.Error(codes.FailedPrecondition, "ApiKey is revoked")
	case k.Type != kind:
		return nil, status.Error(codes.FailedPrecondition, "ApiKey is not of type "+kind)
	}
	changed := s.flip(k, things, give)
	if err := s.disk.put(keysBucket, k.ID, k); err != nil {
		s.flip(k, changed, !give)
		return nil, err
	}
	return changed, nil
}

// flip sets the grants that are not as wanted and returns them; it wants s.mu
// held.
func (s *state) flip(k *apiKey, things []string, give bool) (changed []string) {
	granted := k.Topics
	if k.Type == typeConsumer {
		granted = k.Destinations
	}
	for _, thing := range things {
		if granted[thing] == give || give && !s.exists(k.Type, thing) {
			continue
		}
		changed = append(changed, thing)
		if give {
			granted[thing] = true
		} else {
			delete(granted, thing)
		}
	}
	return changed
}

func (s *state) exists(kind, thing string) bool {
	if kind == typeConsumer {
		return s.destinations[thing] != nil
	}
	return s.topics[thing] != nil
}

// forget takes a topic from all keys, so that none may publish to the next
// topic of that name; it wants s.mu held.
func (s *state) forget(topicName string) error {
	for _, k := range s.keysByID {
		if !k.Topics[topicName] {
			continue
		}
		delete(k.Topics, topicName)
		if err := s.disk.put(keysBucket, k.ID, k); err != nil {
			return err
		}
	}
	return nil
}
