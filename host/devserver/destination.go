package devserver

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/relayhost/relayhost/host/devserver/internal/query"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// destination is a queue over a topic. The exported fields are what the disk
// keeps.
type destination struct {
	ID              string
	Name            string
	TopicName       string
	TopicIdentifier string
	Config          map[string]string
	Type            string
	GroupKey        string
	Query           string
	Created         uint64

	queue queue
}

func (d *destination) proto() *pb.Destination {
	return &pb.Destination{
		Id: d.ID, Name: d.Name, TopicName: d.TopicName, TopicIdentifier: d.TopicIdentifier,
		Config: d.Config, DestinationType: d.Type, GroupKey: d.GroupKey,
	}
}

// topic is what the events of the queue show.
func (d *destination) topic() string { return joinTopic(d.TopicName, d.TopicIdentifier) }

// filter compiles which of the topic's events the queue takes. A query that
// does not parse takes all, as in PullEvents.
func (d *destination) filter() (func(*record) bool, error) {
	q, err := parseQuery(d.Query)
	if err != nil {
		return nil, err
	}
	return func(r *record) bool {
		return r.under(d.TopicIdentifier) && new(row).matches(q, r)
	}, nil
}

var destinationTypes = []string{"file", "webhook", "websocket", "api", "topic"}

func checkDestination(r *pb.CreateDestinationRequest) error {
	n := utf8.RuneCountInString(r.GetName())
	switch {
	case strings.TrimSpace(r.GetName()) == "":
		return invalid("Name can't be blank")
	case n < 3:
		return invalid("Name should be at least 3 character(s)")
	case n > 255:
		return invalid("Name should be at most 255 character(s)")
	case r.GetTopicName() == "":
		return invalid("Topic name can't be blank")
	case r.GetDestinationType() == "":
		return invalid("Destination type can't be blank")
	case !slices.Contains(destinationTypes, r.GetDestinationType()):
		return invalid("Destination type is invalid")
	}
	return nil
}

func (s *state) createDestination(r *pb.CreateDestinationRequest, query string) (*pb.Destination, error) {
	if err := checkDestination(r); err != nil {
		return nil, err
	}
	d := &destination{
		ID: uuid.NewString(), Name: r.GetName(), TopicName: r.GetTopicName(), TopicIdentifier: r.GetTopicIdentifier(),
		Config: r.GetConfig(), Type: r.GetDestinationType(), GroupKey: r.GetGroupKey(), Query: query,
	}
	filter, err := d.filter()
	if err != nil {
		return nil, err
	}
	d.queue = newQueue(filter)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.admit(d); err != nil {
		return nil, err
	}
	d.Created = s.nextCreated()
	if err := s.disk.put(destinationsBucket, d.ID, d); err != nil {
		return nil, err
	}
	s.destinations[d.ID] = d
	return d.proto(), nil
}

// admit checks d against what there is; it wants s.mu held.
func (s *state) admit(d *destination) error {
	if s.topics[d.TopicName] == nil {
		return invalid("Topic does not exist")
	}
	for _, other := range s.destinations {
		if other.Name == d.Name {
			return status.Error(codes.AlreadyExists, "Destination with that name already exists")
		}
	}
	return nil
}

func (s *state) destination(id string) (*pb.Destination, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.destinations[id]
	if d == nil {
		return nil, errNoDestination
	}
	return d.proto(), nil
}

var errNoDestination = status.Error(codes.NotFound, "Destination not found")

func (s *state) deleteDestination(id string) (*pb.Destination, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.destinations[id]
	if d == nil {
		return nil, errNoDestination
	}
	if err := s.disk.deleteDestination(id); err != nil {
		return nil, err
	}
	delete(s.destinations, id)
	return d.proto(), nil
}

// parseQuery returns nil for a query that does not parse, and an error for one
// that asks for what events do not have.
func parseQuery(text string) (*query.Query, error) {
	q, err := query.Parse(text, eventFields)
	if query.IsSyntax(err) {
		return nil, nil
	}
	return q, err
}
