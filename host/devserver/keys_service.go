package devserver

import (
	"context"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

type keysService struct {
	pb.UnimplementedApiKeysServer
	state *state
}

// CreateApiKey is the one answer that has the key's secret.
func (s *keysService) CreateApiKey(_ context.Context, r *pb.CreateApiKeyRequest) (*pb.CreateApiKeyResponse, error) {
	k, err := s.state.createKey(r)
	if err != nil {
		return nil, err
	}
	p := k.proto()
	p.Secret = k.Secret
	return &pb.CreateApiKeyResponse{ApiKey: p}, nil
}

func (s *keysService) RevokeApiKey(_ context.Context, r *pb.RevokeApiKeyRequest) (*pb.RevokeApiKeyResponse, error) {
	k, err := s.state.revokeKey(r.GetId())
	if err != nil {
		return nil, err
	}
	return &pb.RevokeApiKeyResponse{ApiKey: k}, nil
}

func (s *keysService) AddDestinationsToApiKey(_ context.Context, r *pb.AddDestinationsToApiKeyRequest) (*pb.AddDestinationsToApiKeyResponse, error) {
	ids, err := s.state.addDestinations(r.GetId(), r.GetDestinationIds())
	if err != nil {
		return nil, err
	}
	return &pb.AddDestinationsToApiKeyResponse{Id: r.GetId(), DestinationIds: ids}, nil
}

func (s *keysService) DeleteDestinationsFromApiKey(_ context.Context, r *pb.DeleteDestinationsFromApiKeyRequest) (*pb.DeleteDestinationsFromApiKeyResponse, error) {
	ids, err := s.state.removeDestinations(r.GetId(), r.GetDestinationIds())
	if err != nil {
		return nil, err
	}
	return &pb.DeleteDestinationsFromApiKeyResponse{Id: r.GetId(), DestinationIds: ids}, nil
}

func (s *keysService) AddTopicsToApiKey(_ context.Context, r *pb.AddTopicsToApiKeyRequest) (*pb.AddTopicsToApiKeyResponse, error) {
	names, err := s.state.addTopics(r.GetId(), r.GetTopicNames())
	if err != nil {
		return nil, err
	}
	return &pb.AddTopicsToApiKeyResponse{Id: r.GetId(), TopicNames: names}, nil
}

func (s *keysService) DeleteTopicsFromApiKey(_ context.Context, r *pb.DeleteTopicsFromApiKeyRequest) (*pb.DeleteTopicsFromApiKeyResponse, error) {
	names, err := s.state.removeTopics(r.GetId(), r.GetTopicNames())
	if err != nil {
		return nil, err
	}
	return &pb.DeleteTopicsFromApiKeyResponse{Id: r.GetId(), TopicNames: names}, nil
}
