package devserver

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

var errUnimplemented = status.Error(codes.Unimplemented, "Operation is not implemented or not supported/enabled in this service")

type eventsService struct {
	pb.UnimplementedEventsServer
	state  *state
	unlock bool
}

func (s *eventsService) PublishEvents(ctx context.Context, r *pb.PublishEventsRequest) (*pb.PublishEventsResponse, error) {
	return s.state.publish(r, lateness(ctx))
}

func (s *eventsService) PullEvents(_ context.Context, r *pb.PullEventsRequest) (*pb.PullEventsResponse, error) {
	return s.state.pullLog(r)
}

func (s *eventsService) PullQueuedEvents(_ context.Context, r *pb.PullQueuedEventsRequest) (*pb.PullQueuedEventsResponse, error) {
	records, topic, err := s.state.pullQueue(r.GetDestinationId(), r.GetBatchSize())
	if err != nil {
		return nil, err
	}
	resp := &pb.PullQueuedEventsResponse{}
	fill(resp, records, topic)
	return resp, nil
}

func (s *eventsService) UnLockQueuedEvents(_ context.Context, r *pb.UnLockQueuedEventsRequest) (*pb.UnLockQueuedEventsResponse, error) {
	if !s.unlock {
		return nil, errUnimplemented
	}
	records, topic, err := s.state.unlockQueue(r.GetDestinationId(), r.GetEventIds())
	if err != nil {
		return nil, err
	}
	resp := &pb.UnLockQueuedEventsResponse{}
	fill(resp, records, topic)
	return resp, nil
}
