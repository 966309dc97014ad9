package abi

import (
	"encoding/binary"
	"math"
)

// EventField is the number of a text of an eventrelay.Event.
type EventField uint8

// The texts of an event.
const (
	EventID           EventField = 1
	EventName         EventField = 2
	EventTopic        EventField = 3
	EventData         EventField = 4
	EventSource       EventField = 5
	EventGroupKey     EventField = 6
	EventReferenceKey EventField = 7
	EventTraceKey     EventField = 8
	EventUserKey      EventField = 9
	EventAnonymousKey EventField = 10
	EventOccurredAt   EventField = 11
	EventPrevID       EventField = 16
	EventAvailableAt  EventField = 17
)

const (
	eventContext  = 12
	eventOffset   = 13
	lastEventText = EventAvailableAt
)

// EventView is an eventrelay.Event where it lies: it knows the place of each
// field, and makes nothing of them until it is asked. Its methods return what is
// part of the bytes that it has read.
//
// It is made for a guest, where clearing and copying an [Event] takes longer
// than reading it.
type EventView struct {
	frame []byte
	has   uint32 // a bit for each number whose place is known
	at    [lastEventText + 1]extentOf
}

// extentOf is where a field's value begins and ends.
type extentOf struct{ start, end uint32 }

// Read has the view show the event b, whatever it showed before. As
// [ParseEvent], it looks only at the frame; if that is malformed, the view shows
// what lies before the fault.
func (v *EventView) Read(b []byte) error {
	v.frame, v.has = b, 0
	if len(b) > math.MaxInt32 {
		return &frameError{problem: "it is longer than 2 GiB"}
	}
	for i := 0; i < len(b); {
		key, start, end := cutShort(b, i)
		if end == 0 {
			var err error
			if key, start, end, err = cutLonger(b, i); err != nil {
				return err
			}
		}
		i = end
		v.note(key, start, end)
	}
	return nil
}

func (v *EventView) note(key uint64, start, end int) {
	num, wire := key>>3, key&7
	if num <= uint64(lastEventText) && (wire == wireBytes) == (num != eventOffset) && (wire == wireVarint) == (num == eventOffset) {
		v.has |= 1 << num
		v.at[num] = extentOf{uint32(start), uint32(end)} //nolint:gosec // at most MaxInt32
	}
}

// value is the field's bytes, or nil if it is not there.
func (v *EventView) value(num EventField) []byte {
	if v.has>>num&1 == 0 {
		return nil
	}
	at := v.at[num]
	return v.frame[at.start:at.end:at.end]
}

// Text is a text of the event, or nil if it is not there.
func (v *EventView) Text(field EventField) []byte { return v.value(field) }

// Offset is the event's place in the server's one sequence for all topics.
func (v *EventView) Offset() int32 {
	n, _ := binary.Uvarint(v.value(eventOffset))
	return int32(n) //nolint:gosec // how protobuf reads an int32
}

// Context returns the value of a key of the event's context.
func (v *EventView) Context(key string) (value []byte, ok bool) {
	if v.has>>eventContext&1 == 0 {
		return nil, false
	}
	return context(v.frame, key)
}
