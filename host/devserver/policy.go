package devserver

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

var errNotPermitted = status.Error(codes.PermissionDenied, "Not permitted")

// permit says whether the key may make the request. What the key is for is
// checked before what the request names.
func (s *state) permit(k *apiKey, req any, unlock bool) error {
	if k.Type == typeAdmin {
		return nil
	}
	switch r := req.(type) {
	case *pb.PublishEventsRequest:
		return s.permitPublish(k, r.GetTopic())
	case *pb.PullEventsRequest:
		return s.permitTopic(k, r.GetTopic())
	case *pb.PullQueuedEventsRequest:
		return s.permitQueue(k, r.GetDestinationId())
	case *pb.UnLockQueuedEventsRequest:
		if unlock {
			return s.permitQueue(k, r.GetDestinationId())
		}
		return nil // the service answers Unimplemented to every key
	case *pb.CreateJWTRequest:
		return nil
	}
	return errNotPermitted
}

func (s *state) permitPublish(k *apiKey, topic string) error {
	name, _ := splitTopic(topic)
	if k.Type != typeProducer {
		return errNotPermitted
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !k.Topics[name] {
		return status.Errorf(codes.PermissionDenied, "ApiKey with id=%s is not associated with topic_name=%s", k.ID, name)
	}
	return nil
}

func (s *state) permitTopic(k *apiKey, topic string) error {
	name, _ := splitTopic(topic)
	if k.Type != typeConsumer {
		return errNotPermitted
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.permitConsumer(k, name)
}

func (s *state) permitQueue(k *apiKey, destinationID string) error {
	if k.Type != typeConsumer {
		return errNotPermitted
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.destinations[destinationID]
	if d == nil {
		return errInternal
	}
	return s.permitConsumer(k, d.TopicName)
}

// permitConsumer wants s.mu held.
func (s *state) permitConsumer(k *apiKey, topicName string) error {
	for id := range k.Destinations {
		if d := s.destinations[id]; d != nil && d.TopicName == topicName {
			return nil
		}
	}
	return status.Errorf(codes.PermissionDenied, "ApiKey with id=%s is not associated with topic_name=%s via a destination", k.ID, topicName)
}
