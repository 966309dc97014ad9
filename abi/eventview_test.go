package abi_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/relayhost/relayhost/abi"
	eventpb "github.com/relayhost/relayhost/proto/eventrelay"
)

var eventTexts = []abi.EventField{
	abi.EventID, abi.EventName, abi.EventTopic, abi.EventData, abi.EventSource, abi.EventGroupKey, abi.EventReferenceKey,
	abi.EventTraceKey, abi.EventUserKey, abi.EventAnonymousKey, abi.EventOccurredAt, abi.EventPrevID, abi.EventAvailableAt,
}

// A view shows the event that it read last, and nothing of one before.
func TestEventView(t *testing.T) {
	var v abi.EventView
	if err := v.Read(marshal(t, event)); err != nil {
		t.Fatal(err)
	}
	if value, ok := v.Context("k"); !ok || string(value) != "é" || v.Offset() != event.Offset || string(v.Text(abi.EventTopic)) != event.Topic {
		t.Errorf("context k is %q, offset %d, topic %q", value, v.Offset(), v.Text(abi.EventTopic))
	}
	if err := v.Read(nil); err != nil {
		t.Fatal(err)
	}
	for _, field := range eventTexts {
		if text := v.Text(field); text != nil {
			t.Errorf("field %d is %q", field, text)
		}
	}
	if _, ok := v.Context("k"); ok || v.Offset() != 0 {
		t.Error("something is left of the event before")
	}
}

// A text's length takes one byte, two, or more.
func TestEventLengths(t *testing.T) {
	for _, size := range []int{0, 1, 2, 7, 8, 127, 128, 129, 16383, 16384, 16385, 1 << 21} {
		data := strings.Repeat("x", size)
		e, err := abi.ParseEvent(marshal(t, &eventpb.Event{Id: "1", Data: data, AvailableAt: data, Offset: -1}))
		if err != nil || string(e.Data) != data || string(e.AvailableAt) != data || e.Offset != -1 || string(e.ID) != "1" {
			t.Errorf("%d bytes: %d and %d, offset %d, %v", size, len(e.Data), len(e.AvailableAt), e.Offset, err)
		}
	}
}

// FuzzEventView holds the view against protobuf's own reading, field by field.
func FuzzEventView(f *testing.F) {
	seeds(f)
	f.Add([]byte("\x22\x01a\x22\x80\x00\x68\x80\x01\x68\x05\x6a\x01?\x20\x07"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v abi.EventView
		err := v.Read(b)
		texts, offset, ok := consume(b)
		if ok != (err == nil) || err != nil && !errors.Is(err, abi.ErrFrame) {
			t.Fatalf("protobuf says %v, the view %v", ok, err)
		}
		for _, field := range eventTexts {
			if got, want := v.Text(field), texts[field]; ok && (!bytes.Equal(got, want) || (got == nil) != (want == nil)) {
				t.Fatalf("field %d is %q, want %q", field, got, want)
			}
		}
		if ok && v.Offset() != offset {
			t.Fatalf("the offset is %d, want %d", v.Offset(), offset)
		}
	})
}

// consume reads an event with protobuf's own functions.
func consume(b []byte) (texts map[abi.EventField][]byte, offset int32, ok bool) {
	texts = map[abi.EventField][]byte{}
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 || num > protowire.MaxValidNumber || kind == protowire.StartGroupType || kind == protowire.EndGroupType {
			return nil, 0, false
		}
		size := protowire.ConsumeFieldValue(num, kind, b[n:])
		if size < 0 {
			return nil, 0, false
		}
		value := b[n:]
		switch {
		case kind == protowire.BytesType && num <= math.MaxUint8:
			text, _ := protowire.ConsumeBytes(value)
			texts[abi.EventField(num)] = append([]byte{}, text...)
		case kind == protowire.VarintType && num == 13:
			n, _ := protowire.ConsumeVarint(value)
			offset = int32(n) //nolint:gosec // how protobuf reads an int32
		}
		b = b[n+size:]
	}
	return texts, offset, true
}

// AppendOK is AppendResult of nothing but an index.
func TestAppendOK(t *testing.T) {
	for _, index := range []uint32{0, 1, 127, 128, 16383, 16384, math.MaxUint32} {
		want := abi.AppendResult([]byte("before"), abi.MessageResult{Index: index})
		if got := abi.AppendOK([]byte("before"), index); !bytes.Equal(got, want) {
			t.Errorf("index %d: %x, want %x", index, got, want)
		}
	}
}

// WalkBatch stops where a call or the frame says so.
func TestWalkBatch(t *testing.T) {
	frame := abi.Batch{Batcher: "a", Messages: make([]abi.Message, 3), Partition: 7}.Append(nil)
	enough := errors.New("enough")
	seen := 0
	_, err := abi.WalkBatch(frame, func([]byte) error {
		if seen++; seen == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || seen != 2 {
		t.Errorf("%d messages, %v", seen, err)
	}
	if b, err := abi.WalkBatch(frame, func([]byte) error { return nil }); err != nil || b.Batcher != "a" || b.Partition != 7 || b.Messages != nil {
		t.Errorf("%+v, %v", b, err)
	}
	if _, err := abi.WalkBatch(frame[:len(frame)-1], func([]byte) error { return nil }); !errors.Is(err, abi.ErrFrame) {
		t.Errorf("a frame cut off: %v", err)
	}
}

// A message that is read again keeps nothing, whether the frame is one or not.
func TestReadAgain(t *testing.T) {
	full := abi.Message{Event: []byte("e"), Data: []byte("d"), Attempt: 3, FailureKind: "trap", FailureReason: "why"}.Append(nil)
	for _, frame := range []string{"", "\x80"} {
		var m abi.Message
		if err := m.Read(full); err != nil || m.Attempt != 3 || m.FailureReason != "why" {
			t.Fatalf("%+v, %v", m, err)
		}
		err := m.Read([]byte(frame))
		if (err == nil) != (frame == "") || m.Event != nil || m.Data != nil || m.Attempt != 0 || m.FailureKind != "" || m.FailureReason != "" {
			t.Errorf("%q: %+v, %v", frame, m, err)
		}
	}
}
