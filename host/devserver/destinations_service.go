package devserver

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

type destinationsService struct {
	pb.UnimplementedDestinationsServer
	state *state
}

// ListDestinations counts pages from 1; a page of size 0 has 100.
func (s *destinationsService) ListDestinations(_ context.Context, r *pb.ListDestinationsRequest) (*pb.ListDestinationsResponse, error) {
	page, size := int(r.GetPage()), int(r.GetPageSize())
	if page < 0 || size < 0 {
		return nil, fmt.Errorf("list destinations: page %d or page_size %d is negative", page, size)
	}
	if size == 0 {
		size = 100
	}
	return paginate(s.state.listDestinations(), max(page, 1), size), nil
}

func paginate(all []*pb.Destination, page, size int) *pb.ListDestinationsResponse {
	pages := (len(all) + size - 1) / size
	resp := &pb.ListDestinationsResponse{
		TotalCount: int32(min(len(all), math.MaxInt32)), TotalPages: int32(pages), PreviousPage: int32(page - 1),
	}
	if page < pages {
		resp.NextPage = int32(page + 1)
	}
	if page <= pages {
		resp.Destinations = all[(page-1)*size : min(page*size, len(all))]
	}
	return resp
}

func (s *destinationsService) GetDestination(_ context.Context, r *pb.GetDestinationRequest) (*pb.GetDestinationResponse, error) {
	d, err := s.state.destination(r.GetId())
	if err != nil {
		return nil, err
	}
	return &pb.GetDestinationResponse{Destination: d}, nil
}

func (s *destinationsService) CreateDestination(_ context.Context, r *pb.CreateDestinationRequest) (*pb.CreateDestinationResponse, error) {
	d, err := s.state.createDestination(r, "")
	if err != nil {
		return nil, err
	}
	return &pb.CreateDestinationResponse{Destination: d}, nil
}

func (s *destinationsService) DeleteDestination(_ context.Context, r *pb.DeleteDestinationRequest) (*pb.DeleteDestinationResponse, error) {
	d, err := s.state.deleteDestination(r.GetId())
	if err != nil {
		return nil, err
	}
	return &pb.DeleteDestinationResponse{Destination: d}, nil
}

// listDestinations lists the oldest first.
func (s *state) listDestinations() (list []*pb.Destination) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byAge := func(a, b *destination) int { return cmp.Compare(a.Created, b.Created) }
	for _, d := range slices.SortedFunc(maps.Values(s.destinations), byAge) {
		list = append(list, d.proto())
	}
	return list
}
