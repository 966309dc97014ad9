package eventrelay

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
)

// errReply is wrapped by the errors of a reply that cannot be read in full.
var errReply = errors.New("the server's reply is malformed, and what cannot be read of it is lost")

// maxID bounds an event's id, in bytes: the server's are UUIDs.
const maxID = 255

// rawReply sends protobuf and receives bytes, so that an event stays as the
// server sent it, and nothing of it is decoded but what the source needs.
type rawReply struct{}

func (rawReply) Name() string { return proto.Name }

func (rawReply) Marshal(request any) (mem.BufferSlice, error) {
	return encoding.GetCodecV2(proto.Name).Marshal(request)
}

// Unmarshal copies the reply once: grpc takes its buffers back.
func (rawReply) Unmarshal(data mem.BufferSlice, reply any) error {
	*reply.(*[]byte) = data.Materialize()
	return nil
}

// decode reads up to n events of a PullQueuedEventsResponse, and returns the
// bytes that follow them. It returns every message that can be read, and an
// error if something cannot. The messages alias raw.
func decode(raw []byte, n int) (messages []*message.Message, rest []byte, err error) {
	events, rest, err := cut(raw, n)
	block := make([]message.Message, len(events))
	messages = make([]*message.Message, 0, len(events))
	for i, event := range events {
		m := &block[i]
		if broken := read(event, m); broken != nil {
			err = fmt.Errorf("%w: event %d: %w", errReply, i+1, broken)
			continue
		}
		messages = append(messages, m)
	}
	return messages, rest, err
}

// cut finds the first n events, which are field 1; other fields are skipped.
func cut(raw []byte, n int) (events [][]byte, rest []byte, err error) {
	for len(raw) > 0 && len(events) < n {
		number, wire, size := protowire.ConsumeTag(raw)
		if size < 0 {
			return events, nil, fmt.Errorf("%w: after event %d: %w", errReply, len(events), protowire.ParseError(size))
		}
		value := raw[size:]
		size = protowire.ConsumeFieldValue(number, wire, value)
		if size < 0 {
			return events, nil, fmt.Errorf("%w: after event %d: %w", errReply, len(events), protowire.ParseError(size))
		}
		if number == 1 && wire == protowire.BytesType {
			event, _ := protowire.ConsumeBytes(value)
			events = append(events, slices.Clip(event))
		}
		raw = value[size:]
	}
	return events, raw, nil
}

var (
	errNoID  = errors.New("it has no id")
	errBadID = fmt.Errorf("its id is not text of at most %d bytes", maxID)
)

// read fills m with an event, of which it looks at the frame only.
func read(event []byte, m *message.Message) error {
	e, err := abi.ParseEvent(event)
	switch {
	case err != nil:
		return err
	case len(e.ID) == 0:
		return errNoID
	case len(e.ID) > maxID || !utf8.Valid(e.ID):
		return errBadID
	}
	m.ID, m.Event, m.Position = string(e.ID), event, int64(e.Offset)
	return nil
}
