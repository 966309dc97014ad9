package devserver

import (
	"cmp"
	"context"
	"maps"
	"slices"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

type topicsService struct {
	pb.UnimplementedTopicsServer
	state *state
}

// ListTopics ignores the page, as the real server does.
func (s *topicsService) ListTopics(context.Context, *pb.ListTopicsRequest) (*pb.ListTopicsResponse, error) {
	return &pb.ListTopicsResponse{Topics: s.state.listTopics()}, nil
}

func (s *topicsService) CreateTopic(_ context.Context, r *pb.CreateTopicRequest) (*pb.CreateTopicResponse, error) {
	t, err := s.state.createTopic(r.GetName(), r.GetGroupKey())
	if err != nil {
		return nil, err
	}
	return &pb.CreateTopicResponse{Topic: t}, nil
}

func (s *topicsService) DeleteTopic(_ context.Context, r *pb.DeleteTopicRequest) (*pb.DeleteTopicResponse, error) {
	t, err := s.state.deleteTopic(r.GetId())
	if err != nil {
		return nil, err
	}
	return &pb.DeleteTopicResponse{Topic: t}, nil
}

// listTopics lists the oldest first.
func (s *state) listTopics() (list []*pb.Topic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byAge := func(a, b *topic) int { return cmp.Compare(a.Created, b.Created) }
	for _, t := range slices.SortedFunc(maps.Values(s.topics), byAge) {
		list = append(list, t.proto())
	}
	return list
}
