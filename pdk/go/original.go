package relay

import "github.com/relayhost/relayhost/abi"

// original is what a message is about: the event as its source sent it, and
// how often it was tried.
type original struct {
	in    abi.Message
	event abi.EventView
}

// look finds the texts of the event; nothing is made of one that no handler asks
// for.
func (o *original) look() error { return o.event.Read(o.in.Event) }

func (o *original) text(field abi.EventField) string { return string(o.event.Text(field)) }

// ID is the event's id, a UUID.
func (o *original) ID() string { return o.text(abi.EventID) }

// Name is the event's name, for example user.created.
func (o *original) Name() string { return o.text(abi.EventName) }

// Topic is the topic that the event was published to.
func (o *original) Topic() string { return o.text(abi.EventTopic) }

// Source says what published the event.
func (o *original) Source() string { return o.text(abi.EventSource) }

// GroupKey is the event's group_key.
func (o *original) GroupKey() string { return o.text(abi.EventGroupKey) }

// ReferenceKey is the event's reference_key.
func (o *original) ReferenceKey() string { return o.text(abi.EventReferenceKey) }

// TraceKey is the event's trace_key.
func (o *original) TraceKey() string { return o.text(abi.EventTraceKey) }

// UserKey is the event's user_key.
func (o *original) UserKey() string { return o.text(abi.EventUserKey) }

// AnonymousKey is the event's anonymous_key.
func (o *original) AnonymousKey() string { return o.text(abi.EventAnonymousKey) }

// PrevID is the id of the event that this one follows, or empty.
func (o *original) PrevID() string { return o.text(abi.EventPrevID) }

// OccurredAt is when the event occurred, RFC 3339 text.
func (o *original) OccurredAt() string { return o.text(abi.EventOccurredAt) }

// AvailableAt is when the event may be delivered, RFC 3339 text.
func (o *original) AvailableAt() string { return o.text(abi.EventAvailableAt) }

// Offset is the event's place in the server's one sequence for all topics.
func (o *original) Offset() int64 { return int64(o.event.Offset()) }

// Context returns the value of a key of the event's context, and whether the
// key is there.
func (o *original) Context(key string) (string, bool) {
	value, ok := o.event.Context(key)
	return string(value), ok
}

// Event is the whole event as EventRelay sent it, in protobuf's encoding of
// eventrelay.Event.
func (o *original) Event() []byte { return o.in.Event }

// EventData is the event's own data, whatever a handler made of it: JSON text.
func (o *original) EventData() []byte { return o.event.Text(abi.EventData) }

// Attempt is 1 at the first handling, one more at each retry.
func (o *original) Attempt() int { return int(o.in.Attempt) }
