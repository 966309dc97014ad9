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
}

// Size is the number of bytes that Append will write.
func (m Message) Size() int {
	n := sizeBytes(len(m.Event)) + sizeVarint(uint64(m.Attempt))
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
	return appendVarint(dst, 3, uint64(m.Attempt))
}

// ParseMessage reads a frame that [Message.Append] or any protobuf library wrote.
func ParseMessage(b []byte) (m Message, err error) {
	var f field
	for len(b) > 0 && err == nil {
		if f, b, err = nextField(b); err != nil {
			break
		}
		switch {
		case f.is(1, wireBytes):
			m.Event = f.bytes
		case f.is(2, wireBytes):
			m.Data = f.bytes
		case f.is(3, wireVarint):
			m.Attempt, err = f.uint32()
		}
	}
	return m, err
}

// Batch is the input of handle_batch.
type Batch struct {
	Batcher  string
	BatchKey string
	Trigger  Trigger
	Messages []Message
}

// Size is the number of bytes that Append will write.
func (b Batch) Size() int {
	n := sizeText(b.Batcher) + sizeText(b.BatchKey) + sizeVarint(uint64(b.Trigger))
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
	return dst
}

// ParseBatch reads a frame that [Batch.Append] or any protobuf library wrote.
func ParseBatch(frame []byte) (b Batch, err error) {
	var f field
	for len(frame) > 0 && err == nil {
		if f, frame, err = nextField(frame); err != nil {
			break
		}
		switch {
		case f.is(1, wireBytes):
			b.Batcher, err = f.text()
		case f.is(2, wireBytes):
			b.BatchKey, err = f.text()
		case f.is(3, wireVarint):
			var v uint8
			v, err = f.enum(uint8(TriggerFlush))
			b.Trigger = Trigger(v)
		case f.is(4, wireBytes):
			var m Message
			m, err = ParseMessage(f.bytes)
			b.Messages = append(b.Messages, m)
		}
	}
	return b, err
}

// MessageResult is the output of handle_message, and one item of a
// [BatchResult]. The zero value says: ok, nothing changed.
type MessageResult struct {
	// Index is the message's position in [Batch.Messages]; 0 for
	// handle_message.
	Index  uint32
	Status Status
	// Reason says for people why the message failed.
	Reason string
	// Retryable says that another attempt may go better.
	Retryable bool
	// Data replaces the message's data; nil leaves it.
	Data []byte
	// Batcher and BatchKey route the message; nil leaves them.
	Batcher   *string
	BatchKey  *string
	BatchMode *BatchMode
}

// Size is the number of bytes that Append will write.
func (r MessageResult) Size() int {
	n := sizeVarint(uint64(r.Index)) + sizeVarint(uint64(r.Status)) + sizeText(r.Reason)
	if r.Retryable {
		n += 2
	}
	if r.Data != nil {
		n += sizeBytes(len(r.Data))
	}
	for _, text := range [...]*string{r.Batcher, r.BatchKey} {
		if text != nil {
			n += sizeBytes(len(*text))
		}
	}
	if r.BatchMode != nil {
		n += 2
	}
	return n
}

// Append writes the frame at the end of dst.
func (r MessageResult) Append(dst []byte) []byte {
	dst = appendVarint(dst, 1, uint64(r.Index))
	dst = appendVarint(dst, 2, uint64(r.Status))
	dst = appendText(dst, 3, r.Reason)
	if r.Retryable {
		dst = appendVarint(dst, 4, 1)
	}
	if r.Data != nil {
		dst = appendBytes(dst, 5, r.Data)
	}
	if r.Batcher != nil {
		dst = appendBytes(dst, 6, *r.Batcher)
	}
	if r.BatchKey != nil {
		dst = appendBytes(dst, 7, *r.BatchKey)
	}
	if r.BatchMode != nil {
		dst = append(appendKey(dst, 8, wireVarint), byte(*r.BatchMode))
	}
	return dst
}

// ParseMessageResult reads a frame that [MessageResult.Append] or any protobuf
// library wrote. The host calls it on what a guest returned.
func ParseMessageResult(b []byte) (r MessageResult, err error) {
	var f field
	for len(b) > 0 && err == nil {
		if f, b, err = nextField(b); err == nil {
			err = r.set(f)
		}
	}
	return r, err
}

func (r *MessageResult) set(f field) (err error) {
	var v uint8
	switch {
	case f.is(1, wireVarint):
		r.Index, err = f.uint32()
	case f.is(2, wireVarint):
		v, err = f.enum(uint8(StatusFailed))
		r.Status = Status(v)
	case f.is(3, wireBytes):
		r.Reason, err = f.text()
	case f.is(4, wireVarint):
		r.Retryable = f.value != 0
	case f.is(5, wireBytes):
		r.Data = f.bytes
	case f.is(6, wireBytes):
		r.Batcher, err = f.textPointer()
	case f.is(7, wireBytes):
		r.BatchKey, err = f.textPointer()
	case f.is(8, wireVarint):
		v, err = f.enum(uint8(BatchModeFlush))
		mode := BatchMode(v)
		r.BatchMode = &mode
	}
	return err
}

func (f field) textPointer() (*string, error) {
	s, err := f.text()
	return &s, err
}

// Record is one output of handle_batch, for the batcher's sink.
type Record struct {
	Data []byte
}

// BatchResult is the output of handle_batch.
type BatchResult struct {
	// Results holds one item for every message of the batch, in any order.
	Results []MessageResult
	// Records is what the sink delivers, in this order.
	Records []Record
}

// Append writes the frame at the end of dst.
func (r BatchResult) Append(dst []byte) []byte {
	for i := range r.Results {
		dst = AppendResult(dst, r.Results[i])
	}
	for i := range r.Records {
		dst = AppendRecord(dst, r.Records[i].Data)
	}
	return dst
}

// AppendResult writes one item of [BatchResult.Results] at the end of dst. A
// batch's frame is its items one after another, in any order, so a kit can
// write it as it goes.
func AppendResult(dst []byte, r MessageResult) []byte {
	dst = appendKey(dst, 1, wireBytes)
	dst = binary.AppendUvarint(dst, uint64(r.Size())) //nolint:gosec // a length
	return r.Append(dst)
}

// AppendRecord writes one item of [BatchResult.Records] at the end of dst.
func AppendRecord(dst, data []byte) []byte {
	dst = appendKey(dst, 2, wireBytes)
	dst = binary.AppendUvarint(dst, uint64(sizeBytes(len(data)))) //nolint:gosec // a length
	return appendBytes(dst, 1, data)
}

// ParseBatchResult reads a frame that [BatchResult.Append] or any protobuf
// library wrote. What it allocates may be many times the frame's length; for
// what a guest returned, the host uses [WalkBatchResult].
func ParseBatchResult(b []byte) (r BatchResult, err error) {
	err = WalkBatchResult(b,
		func(item MessageResult) error { r.Results = append(r.Results, item); return nil },
		func(record Record) error { r.Records = append(r.Records, record); return nil })
	return r, err
}

// WalkBatchResult reads a frame as [ParseBatchResult] does, and calls result and
// record for each item, in the frame's order. It stops at the first error, of
// the frame or of a call, and returns it.
func WalkBatchResult(b []byte, result func(MessageResult) error, record func(Record) error) (err error) {
	var f field
	for len(b) > 0 && err == nil {
		if f, b, err = nextField(b); err != nil {
			break
		}
		switch {
		case f.is(1, wireBytes):
			err = walkItem(f.bytes, ParseMessageResult, result)
		case f.is(2, wireBytes):
			err = walkItem(f.bytes, parseRecord, record)
		}
	}
	return err
}

func walkItem[T any](b []byte, parse func([]byte) (T, error), visit func(T) error) error {
	item, err := parse(b)
	if err != nil {
		return err
	}
	return visit(item)
}

func parseRecord(b []byte) (r Record, err error) {
	var f field
	for len(b) > 0 && err == nil {
		if f, b, err = nextField(b); err == nil && f.is(1, wireBytes) {
			r.Data = f.bytes
		}
	}
	return r, err
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
