package relay

import "github.com/relayhost/relayhost/abi"

// original is what a message is about: the event as its source sent it, and
// how often it was tried.
type original struct {
	event   abi.Event
	raw     []byte
	attempt uint32
}

func read(in abi.Message) (original, error) {
	event, err := abi.ParseEvent(in.Event)
	return original{event: event, raw: in.Event, attempt: in.Attempt}, err
}

// ID is the event's id, a UUID.
func (o *original) ID() string { return string(o.event.ID) }

// Name is the event's name, for example user.created.
func (o *original) Name() string { return string(o.event.Name) }

// Topic is the topic that the event was published to.
func (o *original) Topic() string { return string(o.event.Topic) }

// Source says what published the event.
func (o *original) Source() string { return string(o.event.Source) }

// GroupKey is the event's group_key.
func (o *original) GroupKey() string { return string(o.event.GroupKey) }

// ReferenceKey is the event's reference_key.
func (o *original) ReferenceKey() string { return string(o.event.ReferenceKey) }

// TraceKey is the event's trace_key.
func (o *original) TraceKey() string { return string(o.event.TraceKey) }

// UserKey is the event's user_key.
func (o *original) UserKey() string { return string(o.event.UserKey) }

// AnonymousKey is the event's anonymous_key.
func (o *original) AnonymousKey() string { return string(o.event.AnonymousKey) }

// PrevID is the id of the event that this one follows, or empty.
func (o *original) PrevID() string { return string(o.event.PrevID) }

// OccurredAt is when the event occurred, RFC 3339 text.
func (o *original) OccurredAt() string { return string(o.event.OccurredAt) }

// AvailableAt is when the event may be delivered, RFC 3339 text.
func (o *original) AvailableAt() string { return string(o.event.AvailableAt) }

// Offset is the event's place in the server's one sequence for all topics.
func (o *original) Offset() int64 { return int64(o.event.Offset) }

// Context returns the value of a key of the event's context, and whether the
// key is there.
func (o *original) Context(key string) (string, bool) {
	value, ok := o.event.Context(key)
	return string(value), ok
}

// Event is the whole event as EventRelay sent it, in protobuf's encoding of
// eventrelay.Event.
func (o *original) Event() []byte { return o.raw }

// EventData is the event's own data, whatever a handler made of it: JSON text.
func (o *original) EventData() []byte { return o.event.Data }

// Attempt is 1 at the first handling, one more at each retry.
func (o *original) Attempt() int { return int(o.attempt) }
