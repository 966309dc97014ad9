package relay

import "github.com/relayhost/relayhost/abi"

// Message is one event on its way through the pipeline. It is valid only
// during the handler's call, and so is every []byte that it returns: copy what
// must live longer. The texts it returns are copies.
type Message struct {
	original

	patch   abi.MessageResult
	outputs []*Output
	single  bool // in a handler of one message, which may make several of it
	err     error

	batcher, batchKey string
	mode              abi.BatchMode
}

// load begins the message anew, with the event that is in its frame.
func (m *Message) load(index int) error {
	m.clear()
	m.patch.Index = uint32(index) //nolint:gosec // a position in a frame
	return m.look()
}

// clear takes back what the last handler did, field by field and where it did
// something: clearing the struct takes a guest longer than all the rest.
func (m *Message) clear() {
	p := &m.patch
	if p.Data != nil {
		p.Data = nil
	}
	if m.err != nil || m.outputs != nil || p.Batcher != nil || p.BatchKey != nil || p.BatchMode != nil {
		m.err, m.outputs, p.Batcher, p.BatchKey, p.BatchMode = nil, nil, nil, nil, nil
	}
	m.single, p.OnFailure, p.Outputs = false, AsConfigured, p.Outputs[:0]
}

// Data is the message's data: what [Message.SetData] put there, or else the
// event's own.
func (m *Message) Data() []byte {
	switch {
	case m.patch.Data != nil:
		return m.patch.Data
	case m.in.Data != nil:
		return m.in.Data
	}
	return m.EventData()
}

// SetData replaces the message's data, for a batch handler to read. It does
// not copy data. The event itself stays as it is.
func (m *Message) SetData(data []byte) {
	if data == nil {
		data = []byte{}
	}
	m.patch.Data = data
}

// SetBatcher routes the message to the batcher of that name. A name that the
// pipeline has no batcher of fails the message. What is not UTF-8 in the name
// is replaced.
func (m *Message) SetBatcher(name string) {
	m.batcher = validText(name)
	m.patch.Batcher = &m.batcher
}

// SetBatchKey lets the message be batched only with messages of the same key.
// What is not UTF-8 in the key is replaced. A key of more than 1 KiB fails the
// message.
func (m *Message) SetBatchKey(key string) {
	m.batchKey = validText(key)
	m.patch.BatchKey = &m.batchKey
	m.Fail(keyError(m.batchKey))
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

// OnFailure says what becomes of the message if it fails, now or later, in
// place of what the configuration says. A handler that panics has said nothing.
func (m *Message) OnFailure(action OnFailure) { m.patch.OnFailure = action }

// result is the message's part of the answer.
func (m *Message) result() *abi.MessageResult {
	if m.err != nil {
		r := m.outcome()
		return &r
	}
	for _, o := range m.outputs {
		m.patch.Outputs = append(m.patch.Outputs, o.wire)
	}
	return &m.patch
}
