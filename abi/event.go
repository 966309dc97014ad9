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
func ParseEvent(b []byte) (e Event, err error) {
	e.frame = b
	var f field
	for len(b) > 0 && err == nil {
		if f, b, err = nextField(b); err == nil {
			e.set(f)
		}
	}
	return e, err
}

func (e *Event) set(f field) {
	if text := e.text(f.num); text != nil && f.wire == wireBytes {
		*text = f.bytes
		return
	}
	if f.is(13, wireVarint) {
		e.Offset = int32(f.value) //nolint:gosec // how protobuf reads an int32
	}
}

func (e *Event) text(num uint64) *[]byte {
	switch num {
	case 1:
		return &e.ID
	case 2:
		return &e.Name
	case 3:
		return &e.Topic
	case 4:
		return &e.Data
	case 5:
		return &e.Source
	case 6:
		return &e.GroupKey
	case 7:
		return &e.ReferenceKey
	case 8:
		return &e.TraceKey
	case 9:
		return &e.UserKey
	case 10:
		return &e.AnonymousKey
	case 11:
		return &e.OccurredAt
	case 16:
		return &e.PrevID
	case 17:
		return &e.AvailableAt
	}
	return nil
}

// Context returns the value of a key of the event's context.
func (e *Event) Context(key string) (value []byte, ok bool) {
	for b := e.frame; len(b) > 0; {
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
