package devserver

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// record is a stored event. It never changes. The event is kept encoded, so that
// a pull only copies bytes, in two pieces: what goes before its topic and what
// goes after. The topic is left out because an answer shows the topic that was
// asked for, not the one that the event was published to.
type record struct {
	id         string
	topic      string // its name
	identifier string // the topic's, empty when it was published without
	offset     int32
	available  int64 // seconds since the Unix epoch
	head, tail []byte
}

// The field numbers of Event.topic, and of `events` in each response that has
// events.
const (
	topicField  = 3
	eventsField = 1
)

func newRecord(e *pb.Event) (*record, error) {
	available, err := time.Parse(time.RFC3339, e.GetAvailableAt())
	if err != nil {
		return nil, fmt.Errorf("read available_at of event %s: %w", e.GetId(), err)
	}
	r := &record{id: e.GetId(), offset: e.GetOffset(), available: available.Unix()}
	r.topic, r.identifier = splitTopic(e.GetTopic())
	if r.head, err = proto.Marshal(&pb.Event{Id: e.GetId(), Name: e.GetName()}); err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	rest := proto.CloneOf(e)
	rest.Id, rest.Name, rest.Topic = "", "", ""
	if r.tail, err = proto.Marshal(rest); err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return r, nil
}

// size is the length of the encoded event with this topic.
func (r *record) size(topic string) int {
	return len(r.head) + protowire.SizeTag(topicField) + protowire.SizeBytes(len(topic)) + len(r.tail)
}

// appendEvent appends the encoded event.
func (r *record) appendEvent(b []byte, topic string) []byte {
	b = append(b, r.head...)
	b = protowire.AppendTag(b, topicField, protowire.BytesType)
	b = protowire.AppendString(b, topic)
	return append(b, r.tail...)
}

// wire is the event as it was published.
func (r *record) wire() []byte { return r.appendEvent(nil, joinTopic(r.topic, r.identifier)) }

// under says whether the record belongs to the identifier; all belong to none.
func (r *record) under(identifier string) bool {
	return identifier == "" || r.identifier == identifier
}

// fill puts the records into a response that has none, as bytes that are
// already encoded.
func fill(response proto.Message, records []*record, topic string) {
	n := 0
	for _, r := range records {
		n += protowire.SizeTag(eventsField) + protowire.SizeBytes(r.size(topic))
	}
	frames := make([]byte, 0, n)
	for _, r := range records {
		frames = protowire.AppendTag(frames, eventsField, protowire.BytesType)
		frames = protowire.AppendVarint(frames, uint64(r.size(topic)))
		frames = r.appendEvent(frames, topic)
	}
	response.ProtoReflect().SetUnknown(frames)
}
