package devserver

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/google/uuid"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

var errNoTopic = invalid("A topic must be provided to publish_events")

// publish stores the good ones of the events and returns them as the real
// server does, last first. When any was bad it fails all the same.
func (s *state) publish(r *pb.PublishEventsRequest) (*pb.PublishEventsResponse, error) {
	name, identifier := splitTopic(r.GetTopic())
	if name == "" {
		return nil, errNoTopic
	}
	if len(r.GetEvents()) == 0 {
		return &pb.PublishEventsResponse{}, nil
	}
	if _, err := s.log(name); err != nil {
		return nil, err
	}
	events, bad := s.draft(r, joinTopic(name, identifier))
	if !r.GetDurable() {
		slices.Reverse(events)
		return &pb.PublishEventsResponse{Events: events}, bad
	}
	records, err := s.append(name, events)
	if err := errors.Join(bad, err); err != nil {
		return nil, err
	}
	slices.Reverse(records)
	resp := &pb.PublishEventsResponse{}
	fill(resp, records, r.GetTopic())
	return resp, nil
}

// draft makes events of the good ones and says what is bad about the others.
func (s *state) draft(r *pb.PublishEventsRequest, topic string) (events []*pb.Event, bad error) {
	d := newDrafter(topic, s.now())
	for i, e := range r.GetEvents() {
		make := d.durable
		if !r.GetDurable() {
			make = d.passing
		}
		event, err := make(e)
		if err != nil {
			bad = errors.Join(bad, fmt.Errorf("publish event %d: %w", i, err))
			continue
		}
		events = append(events, event)
	}
	return events, bad
}

// append gives the events ids and offsets and adds them to the topic's log.
func (s *state) append(topicName string, events []*pb.Event) ([]*record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[topicName]
	if t == nil {
		return nil, fmt.Errorf("publish: no topic %q", topicName)
	}
	if len(events) > math.MaxInt32-int(s.lastOffset) {
		return nil, errors.New("publish: the offsets are used up")
	}
	records := make([]*record, len(events))
	for i, e := range events {
		e.Id, e.Offset = uuid.NewString(), s.lastOffset+int32(i)+1
		var err error
		if records[i], err = newRecord(e); err != nil {
			return nil, err
		}
	}
	if err := s.disk.saveEvents(records); err != nil {
		return nil, err
	}
	s.lastOffset += int32(len(records))
	t.log = append(t.log, records...)
	return records, nil
}
