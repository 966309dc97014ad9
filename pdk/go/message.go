package relay

import "github.com/relayhost/relayhost/abi"

// Message is one event on its way through the pipeline. It is valid only
// during the handler's call, and so is every []byte that it returns: copy what
// must live longer. The texts it returns are copies.
type Message struct {
	event   abi.Event
	raw     []byte
	attempt uint32
	data    []byte
	patch   abi.MessageResult
	err     error

	batcher, batchKey string
	mode              abi.BatchMode
}

// load begins the message anew; frameErr is what parsing its frame gave.
func (m *Message) load(in abi.Message, index int, frameErr error) error {
	event, err := abi.ParseEvent(in.Event)
	*m = Message{event: event, raw: in.Event, attempt: in.Attempt, data: in.Data}
	m.patch.Index = uint32(index) //nolint:gosec // a position in a frame
	if in.Data == nil {
		m.data = event.Data
	}
	if frameErr != nil {
		return frameErr
	}
	return err
}

// ID is the event's id, a UUID.
func (m *Message) ID() string { return string(m.event.ID) }

// Name is the event's name, for example user.created.
func (m *Message) Name() string { return string(m.event.Name) }

// Topic is the topic that the event was published to.
func (m *Message) Topic() string { return string(m.event.Topic) }

// Source says what published the event.
func (m *Message) Source() string { return string(m.event.Source) }

// GroupKey is the event's group_key.
func (m *Message) GroupKey() string { return string(m.event.GroupKey) }

// ReferenceKey is the event's reference_key.
func (m *Message) ReferenceKey() string { return string(m.event.ReferenceKey) }

// TraceKey is the event's trace_key.
func (m *Message) TraceKey() string { return string(m.event.TraceKey) }

// UserKey is the event's user_key.
func (m *Message) UserKey() string { return string(m.event.UserKey) }

// AnonymousKey is the event's anonymous_key.
func (m *Message) AnonymousKey() string { return string(m.event.AnonymousKey) }

// PrevID is the id of the event that this one follows, or empty.
func (m *Message) PrevID() string { return string(m.event.PrevID) }

// OccurredAt is when the event occurred, RFC 3339 text.
func (m *Message) OccurredAt() string { return string(m.event.OccurredAt) }

// AvailableAt is when the event may be delivered, RFC 3339 text.
func (m *Message) AvailableAt() string { return string(m.event.AvailableAt) }

// Offset is the event's place in the server's one sequence for all topics.
func (m *Message) Offset() int64 { return int64(m.event.Offset) }

// Context returns the value of a key of the event's context, and whether the
// key is there.
func (m *Message) Context(key string) (string, bool) {
	value, ok := m.event.Context(key)
	return string(value), ok
}

// Event is the whole event as EventRelay sent it, in protobuf's encoding of
// eventrelay.Event.
func (m *Message) Event() []byte { return m.raw }

// EventData is the event's own data, whatever a handler made of it: JSON text.
func (m *Message) EventData() []byte { return m.event.Data }

// Data is the message's data: what [Message.SetData] put there, or else the
// event's own.
func (m *Message) Data() []byte { return m.data }

// Attempt is 1 at the first handling, one more at each retry.
func (m *Message) Attempt() int { return int(m.attempt) }

// SetData replaces the message's data, for a batch handler to read. It does
// not copy data. The event itself stays as it is.
func (m *Message) SetData(data []byte) {
	if data == nil {
		data = []byte{}
	}
	m.data, m.patch.Data = data, data
}

// SetBatcher routes the message to the batcher of that name. A name that the
// pipeline has no batcher of fails the message. What is not UTF-8 in the name
// is replaced.
func (m *Message) SetBatcher(name string) {
	m.batcher = validText(name)
	m.patch.Batcher = &m.batcher
}

// SetBatchKey lets the message be batched only with messages of the same key.
// What is not UTF-8 in the key is replaced.
func (m *Message) SetBatchKey(key string) {
	m.batchKey = validText(key)
	m.patch.BatchKey = &m.batchKey
}

// Flush has the batcher emit the open batch after this message, full or not.
func (m *Message) Flush() {
	m.mode = abi.BatchModeFlush
	m.patch.BatchMode = &m.mode
}

// Fail fails the message with err's text as its reason; nil leaves it as it
// is. In a message handler, returning the error does the same.
func (m *Message) Fail(err error) {
	if err != nil {
		m.err = err
	}
}

// result is the message's part of the answer.
func (m *Message) result() abi.MessageResult {
	if m.err != nil {
		return failure(m.patch.Index, m.err)
	}
	return m.patch
}
