package devserver

import (
	"fmt"
	"math"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

const (
	defaultBatch  = 100
	maxQueueBatch = 100_000
	maxLogBatch   = 1000
)

// pullQueue locks up to n events for the destination and returns them.
func (s *state) pullQueue(destinationID string, n int32) (records []*record, topic string, err error) {
	switch {
	case n < 0:
		return nil, "", fmt.Errorf("pull queue: batch_size %d is negative", n)
	case n == 0:
		n = defaultBatch
	}
	n = min(n, maxQueueBatch)
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.destinations[destinationID]
	if d == nil {
		return nil, "", fmt.Errorf("pull queue: no destination %q", destinationID)
	}
	log := s.topics[d.TopicName].log
	taken := d.queue.take(log, int(n), s.now().Unix())
	if err := s.disk.saveQueue(d, log); err != nil {
		// What cannot be kept was not delivered.
		for _, r := range taken {
			d.queue.reopen(r)
		}
		return nil, "", err
	}
	return taken, d.topic(), nil
}

// unlockQueue makes delivered events deliverable again and returns them.
func (s *state) unlockQueue(destinationID string, ids []string) (records []*record, topic string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.destinations[destinationID]
	if d == nil {
		return nil, "", fmt.Errorf("unlock queue: no destination %q", destinationID)
	}
	log := s.topics[d.TopicName].log
	unlocked := d.queue.unlock(log, ids)
	return unlocked, d.topic(), s.disk.saveQueue(d, log)
}

// pullLog reads a page of a topic's log into a response.
func (s *state) pullLog(r *pb.PullEventsRequest) (*pb.PullEventsResponse, error) {
	size := r.GetBatchSize()
	if size < 0 || r.GetOffset() < 0 {
		return nil, fmt.Errorf("pull log: batch_size %d or offset %d is negative", size, r.GetOffset())
	}
	if size == 0 || size > maxLogBatch {
		size = defaultBatch
	}
	matches, err := s.history(r.GetTopic(), r.GetQuery())
	if err != nil {
		return nil, err
	}
	resp, shown := page(matches, int(r.GetOffset()), int(size))
	fill(resp, shown, r.GetTopic())
	return resp, nil
}

// history lists the available events of a topic that match the query.
func (s *state) history(topicText, queryText string) ([]*record, error) {
	name, identifier := splitTopic(topicText)
	q, err := parseQuery(queryText)
	if err != nil {
		return nil, fmt.Errorf("pull log: %w", err)
	}
	log, err := s.log(name)
	if err != nil {
		return nil, err
	}
	now := s.now().Unix()
	var matches []*record
	var w row
	for _, r := range log {
		if r.available <= now && r.under(identifier) && w.matches(q, r) {
			matches = append(matches, r)
		}
	}
	return matches, nil
}

func (s *state) log(topicName string) ([]*record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[topicName]
	if t == nil {
		return nil, fmt.Errorf("pull log: no topic %q", topicName)
	}
	return t.log, nil
}

// page picks the rows of a page and counts for its response.
func page(matches []*record, offset, size int) (*pb.PullEventsResponse, []*record) {
	total := len(matches)
	resp := &pb.PullEventsResponse{
		TotalCount:     int32(min(total, math.MaxInt32)),
		PreviousOffset: int32(max(offset-size, 0)),
		TotalBatches:   int32((total + size - 1) / size),
	}
	if offset+size < total {
		resp.NextOffset = int32(offset + size)
	}
	return resp, matches[min(offset, total):min(offset+size, total)]
}
