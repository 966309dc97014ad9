package abi

// Event is an eventrelay.Event in Go. Its texts alias the bytes that it was
// parsed from; nothing is copied.
type Event struct {
	ID, Name, Topic, Source                                 []byte
	GroupKey, ReferenceKey, TraceKey, UserKey, AnonymousKey []byte
	OccurredAt, AvailableAt, PrevID                         []byte
	// Data is JSON text: an object, as a rule; the text null for an event that
	// was not stored.
	Data []byte
	// Offset is the event's place in the server's one sequence for all topics.
	Offset int32

	// frame is what the event was parsed from: Context looks there, so that
	// parsing an event allocates nothing.
	frame []byte
}

// ParseEvent reads an eventrelay.Event. It looks only at the frame, not at
// whether Data is JSON.
func ParseEvent(b []byte) (Event, error) {
	var v EventView
	err := v.Read(b)
	return Event{
		ID: v.Text(EventID), Name: v.Text(EventName), Topic: v.Text(EventTopic), Source: v.Text(EventSource),
		GroupKey: v.Text(EventGroupKey), ReferenceKey: v.Text(EventReferenceKey), TraceKey: v.Text(EventTraceKey),
		UserKey: v.Text(EventUserKey), AnonymousKey: v.Text(EventAnonymousKey),
		OccurredAt: v.Text(EventOccurredAt), AvailableAt: v.Text(EventAvailableAt), PrevID: v.Text(EventPrevID),
		Data: v.Text(EventData), Offset: v.Offset(), frame: b,
	}, err
}

// Context returns the value of a key of the event's context.
func (e *Event) Context(key string) (value []byte, ok bool) { return context(e.frame, key) }

func context(b []byte, key string) (value []byte, ok bool) {
	for len(b) > 0 {
		f, rest, err := nextField(b)
		if err != nil {
			break
		}
		if f.is(12, wireBytes) {
			if k, v := mapEntry(f.bytes); string(k) == key {
				value, ok = v, true
			}
		}
		b = rest
	}
	return value, ok
}

// mapEntry reads one entry of a map<string,string>; what is malformed in it
// reads as absent.
func mapEntry(b []byte) (key, value []byte) {
	for len(b) > 0 {
		f, rest, err := nextField(b)
		if err != nil {
			break
		}
		switch {
		case f.is(1, wireBytes):
			key = f.bytes
		case f.is(2, wireBytes):
			value = f.bytes
		}
		b = rest
	}
	return key, value
}
