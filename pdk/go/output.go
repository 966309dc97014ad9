package relay

import (
	"errors"
	"strconv"

	"github.com/relayhost/relayhost/abi"
)

var errEmit = errors.New("only a message handler makes messages of a message (Message.Emit)")

// Output is one of several messages that a handler makes of one. What is not
// set on it is as in the message, with what the handler set there.
type Output struct {
	message *Message
	wire    abi.Output

	batcher, batchKey string
	mode              abi.BatchMode
}

// Emit adds an output, a message with a copy of this data; nil leaves the
// message's own. The outputs go on in the message's place, in order, each to
// its own batcher; the event is acknowledged when all of them are done, and
// fails if one does. A message that fails here has none. The host takes up to
// 1,000 outputs of a message, unless it is configured otherwise. Anywhere but
// in a message handler it fails the message.
func (m *Message) Emit(data []byte) *Output {
	if !m.single {
		m.Fail(errEmit)
		return &Output{message: m}
	}
	o := &Output{message: m}
	if data != nil {
		o.wire.Data = append([]byte{}, data...)
	}
	m.outputs = append(m.outputs, o)
	return o
}

// SetBatcher routes the output as [Message.SetBatcher] does a message, and
// returns it.
func (o *Output) SetBatcher(name string) *Output {
	o.batcher = validText(name)
	o.wire.Batcher = &o.batcher
	return o
}

// SetBatchKey sets the output's batch key as [Message.SetBatchKey] does a
// message's, and returns it.
func (o *Output) SetBatchKey(key string) *Output {
	o.batchKey = validText(key)
	o.wire.BatchKey = &o.batchKey
	o.message.Fail(keyError(o.batchKey))
	return o
}

// Flush has the output's batcher emit the open batch after it, full or not, and
// returns the output.
func (o *Output) Flush() *Output {
	o.mode = abi.BatchModeFlush
	o.wire.BatchMode = &o.mode
	return o
}

// keyError is the error of a batch key that the host would refuse, and the
// instance with it.
func keyError(key string) error {
	if len(key) <= abi.MaxBatchKey {
		return nil
	}
	return errors.New("the batch key has " + strconv.Itoa(len(key)) + " bytes, and the limit is " + strconv.Itoa(abi.MaxBatchKey))
}
