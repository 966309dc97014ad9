package devserver

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

var errNoTopic = invalid("A topic must be provided to publish_events")

// publish stores the good ones of the events, so much later than they get their
// offsets, and returns them as the real server does, last first. When any was bad
// it fails all the same.
func (s *state) publish(r *pb.PublishEventsRequest, late time.Duration) (*pb.PublishEventsResponse, error) {
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
	records, err := s.append(name, events, late)
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

// append gives the events ids and offsets and adds them to the topic's log, as
// much later as is said: then they are below what was added meanwhile.
func (s *state) append(topicName string, events []*pb.Event, late time.Duration) ([]*record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.topics[topicName] == nil {
		return nil, errTopicGone(topicName)
	}
	if len(events) == 0 {
		return nil, nil
	}
	if len(events) > math.MaxInt32-int(s.lastOffset) {
		return nil, errors.New("publish: the offsets are used up")
	}
	records, err := number(events, s.lastOffset)
	if err != nil {
		return nil, err
	}
	if late > 0 {
		s.lastOffset += int32(len(records))
		s.mu.Unlock()
		time.Sleep(late)
		s.mu.Lock()
	}
	t := s.topics[topicName]
	if t == nil {
		return nil, errTopicGone(topicName)
	}
	last := max(s.lastOffset, records[len(records)-1].offset)
	if err := s.disk.saveEvents(records, last); err != nil {
		return nil, err
	}
	s.lastOffset = last
	return records, s.insert(t, records)
}

func errTopicGone(name string) error { return fmt.Errorf("publish: no topic %q", name) }

// number makes records of events, with the offsets after last.
func number(events []*pb.Event, last int32) ([]*record, error) {
	records := make([]*record, len(events))
	for i, e := range events {
		e.Id, e.Offset = uuid.NewString(), last+int32(i)+1
		var err error
		if records[i], err = newRecord(e); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// insert adds records where their offsets are, which is the end unless they are
// late: then the queues that have passed them deliver them yet.
func (s *state) insert(t *topic, records []*record) error {
	at, _ := slices.BinarySearchFunc(t.log, records[0].offset, byOffset)
	if at == len(t.log) {
		t.log = append(t.log, records...)
		return nil
	}
	t.log = slices.Insert(slices.Clone(t.log), at, records...) // the old one may be in a reader's hands
	var errs []error
	for _, d := range s.destinations {
		if d.TopicName == t.Name && d.queue.inserted(at, records) {
			errs = append(errs, s.disk.saveQueue(d, t.log))
		}
	}
	return errors.Join(errs...)
}
