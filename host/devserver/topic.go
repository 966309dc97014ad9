package devserver

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// maxTopicName is the real server's bound, in characters.
const maxTopicName = 45

// topic is a named log of events. The exported fields are what the disk keeps.
type topic struct {
	ID       string
	Name     string
	GroupKey string
	Created  uint64

	log []*record // by offset; append-only, so that a reader may keep a slice of it
}

func (t *topic) proto() *pb.Topic {
	return &pb.Topic{Id: t.ID, Name: t.Name, GroupKey: t.GroupKey}
}

// splitTopic takes "name" or "name:identifier" apart; empty parts do not count.
func splitTopic(text string) (name, identifier string) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == ':' })
	if len(parts) > 0 {
		name = parts[0]
	}
	if len(parts) > 1 {
		identifier = parts[1]
	}
	return name, identifier
}

func joinTopic(name, identifier string) string {
	if identifier == "" {
		return name
	}
	return name + ":" + identifier
}

func checkTopicName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return invalid("Name can't be blank")
	case utf8.RuneCountInString(name) > maxTopicName:
		return invalid("Name should be at most 45 character(s)")
	case strings.ContainsFunc(name, func(r rune) bool { return r == ':' || unicode.IsSpace(r) || unicode.IsControl(r) }):
		return invalid("Name has invalid format")
	}
	return nil
}

func invalid(message string) error { return status.Error(codes.InvalidArgument, message) }

func (s *state) createTopic(name, groupKey string) (*pb.Topic, error) {
	if err := checkTopicName(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.topics[name] != nil {
		return nil, status.Error(codes.AlreadyExists, "Topic already exists")
	}
	t := &topic{ID: uuid.NewString(), Name: name, GroupKey: groupKey, Created: s.nextCreated()}
	if err := s.disk.put(topicsBucket, t.ID, t); err != nil {
		return nil, err
	}
	s.topics[name] = t
	return t.proto(), nil
}

// deleteTopic deletes a topic, its events and who may publish to it, unless a
// destination is on it.
func (s *state) deleteTopic(id string) (*pb.Topic, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topicByID(id)
	if t == nil {
		return nil, status.Error(codes.NotFound, "Topic not found")
	}
	for _, d := range s.destinations {
		if d.TopicName == t.Name {
			return nil, status.Error(codes.FailedPrecondition, "Topic has destinations")
		}
	}
	if err := s.disk.deleteTopic(t); err != nil {
		return nil, err
	}
	delete(s.topics, t.Name)
	return t.proto(), s.forget(t.Name)
}

func (s *state) topicByID(id string) *topic {
	for _, t := range s.topics {
		if t.ID == id {
			return t
		}
	}
	return nil
}
