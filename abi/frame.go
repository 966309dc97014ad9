package abi

import "encoding/binary"

// Message is the input of handle_message, and one item of a [Batch].
type Message struct {
	// Event is an eventrelay.Event in protobuf's encoding, as the server sent
	// it. [ParseEvent] reads it.
	Event []byte
	// Data is what handle_message put in place of the event's data; nil until
	// then.
	Data []byte
	// Attempt is 1 at the first handling, one more at each retry.
	Attempt uint32
	// FailureKind and FailureReason are what failed the message, and why; only
	// in the input of handle_failed.
	FailureKind, FailureReason string
}

// Size is the number of bytes that Append will write.
func (m Message) Size() int {
	n := sizeBytes(len(m.Event)) + sizeVarint(uint64(m.Attempt)) + sizeText(m.FailureKind) + sizeText(m.FailureReason)
	if m.Data != nil {
		n += sizeBytes(len(m.Data))
	}
	return n
}

// Append writes the frame at the end of dst.
func (m Message) Append(dst []byte) []byte {
	dst = appendBytes(dst, 1, m.Event)
	if m.Data != nil {
		dst = appendBytes(dst, 2, m.Data)
	}
	dst = appendVarint(dst, 3, uint64(m.Attempt))
	return appendText(appendText(dst, 4, m.FailureKind), 5, m.FailureReason)
}

// ParseMessage reads a frame that [Message.Append] or any protobuf library wrote.
func ParseMessage(b []byte) (m Message, err error) {
	err = m.Read(b)
	return m, err
}

// Read is [ParseMessage] into m, whatever m was before. It writes each field
// once, and none that stays as it is: see cut, and the collector of a guest wants
// to know of every pointer that is written.
func (m *Message) Read(b []byte) (err error) {
	var event, data []byte
	m.Attempt = 0
	if m.FailureKind != "" || m.FailureReason != "" {
		m.FailureKind, m.FailureReason = "", ""
	}
	for i := 0; i < len(b) && err == nil; {
		var key uint64
		var start, end int
		if key, start, end, err = cut(b, i); err != nil {
			break
		}
		switch i = end; key {
		case 1<<3 | wireBytes:
			event = b[start:end:end]
		case 2<<3 | wireBytes:
			data = b[start:end:end]
		default:
			err = m.set(key, b[start:end])
		}
	}
	m.Event, m.Data = event, data
	return err
}

func (m *Message) set(key uint64, value []byte) (err error) {
	switch key {
	case 3<<3 | wireVarint:
		m.Attempt, err = uint32Of(3, value)
	case 4<<3 | wireBytes:
		m.FailureKind, err = textOf(4, value)
	case 5<<3 | wireBytes:
		m.FailureReason, err = textOf(5, value)
	}
	return err
}

// Batch is the input of handle_batch; and of prepare_messages and
// handle_failed, with nothing set but the messages.
type Batch struct {
	Batcher  string
	BatchKey string
	Trigger  Trigger
	Messages []Message
	// Partition is the number of the batcher's slot, from 0 on, if the batcher
	// is partitioned.
	Partition uint32
}

// Size is the number of bytes that Append will write.
func (b Batch) Size() int {
	n := sizeText(b.Batcher) + sizeText(b.BatchKey) + sizeVarint(uint64(b.Trigger)) + sizeVarint(uint64(b.Partition))
	for i := range b.Messages {
		n += sizeBytes(b.Messages[i].Size())
	}
	return n
}

// Append writes the frame at the end of dst.
func (b Batch) Append(dst []byte) []byte {
	dst = appendText(dst, 1, b.Batcher)
	dst = appendText(dst, 2, b.BatchKey)
	dst = appendVarint(dst, 3, uint64(b.Trigger))
	for i := range b.Messages {
		dst = appendKey(dst, 4, wireBytes)
		dst = binary.AppendUvarint(dst, uint64(b.Messages[i].Size())) //nolint:gosec // a length
		dst = b.Messages[i].Append(dst)
	}
	return appendVarint(dst, 5, uint64(b.Partition))
}

// ParseBatch reads a frame that [Batch.Append] or any protobuf library wrote.
func ParseBatch(frame []byte) (Batch, error) {
	var messages []Message
	b, err := WalkBatch(frame, func(message []byte) error {
		m, err := ParseMessage(message)
		messages = append(messages, m)
		return err
	})
	b.Messages = messages
	return b, err
}

// WalkBatch reads a frame as [ParseBatch] does, but instead of filling Messages
// it calls message with the frame of each, in order. It stops at the first
// error, of the frame or of a call, and returns it.
func WalkBatch(frame []byte, message func(frame []byte) error) (b Batch, err error) {
	for i := 0; i < len(frame) && err == nil; {
		var key uint64
		var start, end int
		if key, start, end, err = cut(frame, i); err != nil {
			break
		}
		if i = end; key == 4<<3|wireBytes {
			err = message(frame[start:end:end])
		} else {
			err = b.set(key, frame[start:end])
		}
	}
	return b, err
}

func (b *Batch) set(key uint64, value []byte) (err error) {
	switch key {
	case 1<<3 | wireBytes:
		b.Batcher, err = textOf(1, value)
	case 2<<3 | wireBytes:
		b.BatchKey, err = textOf(2, value)
	case 3<<3 | wireVarint:
		b.Trigger, err = triggerOf(value)
	case 5<<3 | wireVarint:
		b.Partition, err = uint32Of(5, value)
	}
	return err
}

func triggerOf(value []byte) (Trigger, error) {
	n, _ := binary.Uvarint(value)
	v, err := field{num: 3, value: n}.enum(uint8(TriggerFlush))
	return Trigger(v), err
}

// Configure is the input of configure; its output is a [MessageResult].
type Configure struct {
	// Pipeline is the pipeline's name.
	Pipeline string
	// Config is the plugin's config table as JSON text, an object.
	Config string
}

// Size is the number of bytes that Append will write.
func (c Configure) Size() int { return sizeText(c.Pipeline) + sizeText(c.Config) }

// Append writes the frame at the end of dst.
func (c Configure) Append(dst []byte) []byte {
	return appendText(appendText(dst, 1, c.Pipeline), 2, c.Config)
}

// ParseConfigure reads a frame that [Configure.Append] or any protobuf library
// wrote.
func ParseConfigure(b []byte) (c Configure, err error) {
	var f field
	for len(b) > 0 && err == nil {
		if f, b, err = nextField(b); err != nil {
			break
		}
		switch {
		case f.is(1, wireBytes):
			c.Pipeline, err = f.text()
		case f.is(2, wireBytes):
			c.Config, err = f.text()
		}
	}
	return c, err
}
