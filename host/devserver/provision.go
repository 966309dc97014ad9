package devserver

import (
	"fmt"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// Destination describes a destination of type api to be made.
type Destination struct {
	// Name is 3 to 255 characters and not another destination's.
	Name string
	// Topic is "name", for all the topic's events, or "name:identifier".
	Topic string
	// Query, in PullEvents' language, keeps the events that do not match out of
	// the queue. Empty keeps none out.
	Query string
}

// CreateTopic makes a topic. Its error has the gRPC code that the wire would
// give, AlreadyExists for a name that is taken; so do the other Create methods'.
func (s *Server) CreateTopic(name string) error {
	_, err := s.state.createTopic(name, "")
	return err
}

// CreateDestination makes a destination of type api and returns its id.
func (s *Server) CreateDestination(d Destination) (id string, err error) {
	name, identifier := splitTopic(d.Topic)
	made, err := s.state.createDestination(&pb.CreateDestinationRequest{
		Name: d.Name, TopicName: name, TopicIdentifier: identifier, DestinationType: "api",
	}, d.Query)
	if err != nil {
		return "", err
	}
	return made.GetId(), nil
}

// CreateProducerKey makes a key that may publish to the topics, and returns its
// bearer token.
func (s *Server) CreateProducerKey(topics ...string) (token string, err error) {
	k, err := s.state.createKey(&pb.CreateApiKeyRequest{Type: pb.ApiKeyType_PRODUCER, Name: "producer"})
	if err != nil {
		return "", err
	}
	added, err := s.state.addTopics(k.ID, topics)
	if err == nil && len(added) < len(topics) {
		err = fmt.Errorf("create producer key: of the topics %q only %q exist", topics, added)
	}
	if err != nil {
		return "", err
	}
	return k.token(), nil
}

// CreateConsumerKey makes a key that may pull from the destinations, and
// returns its bearer token.
func (s *Server) CreateConsumerKey(destinationIDs ...string) (token string, err error) {
	k, err := s.state.createKey(&pb.CreateApiKeyRequest{Type: pb.ApiKeyType_CONSUMER, Name: "consumer"})
	if err != nil {
		return "", err
	}
	added, err := s.state.addDestinations(k.ID, destinationIDs)
	if err == nil && len(added) < len(destinationIDs) {
		err = fmt.Errorf("create consumer key: of the destinations %q only %q exist", destinationIDs, added)
	}
	if err != nil {
		return "", err
	}
	return k.token(), nil
}

// AdminToken is the bearer token of the key that may do everything. A server
// with a data directory keeps it.
func (s *Server) AdminToken() string { return s.state.admin.token() }
