package abi_test

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/relayhost/relayhost/abi"
	eventpb "github.com/relayhost/relayhost/proto/eventrelay"
	pb "github.com/relayhost/relayhost/proto/relayhost"
)

func pointer[T any](v T) *T { return &v }

// marshal is what the protobuf library writes.
func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var event = &eventpb.Event{
	Id: "7ea8e8b4", Name: "user.created", Topic: "users", Data: `{"n": 1}`, Source: "MyApp",
	GroupKey: "g", ReferenceKey: "r", TraceKey: "t", UserKey: "u", AnonymousKey: "a",
	OccurredAt: "2026-01-02T03:04:05Z", Context: map[string]string{"ip": "127.0.0.1", "k": "é"},
	Offset: 1256560, Errors: []string{"e"}, DataSchema: "null", PrevId: "p", AvailableAt: "2026-01-02T03:04:06Z",
}

// Each frame is the bytes that the protobuf library writes for the schema, and
// is read back to the same.
func TestFramesAreProtobuf(t *testing.T) {
	eventBytes := marshal(t, event)
	message := abi.Message{Event: eventBytes, Data: []byte("BILL"), Attempt: 300}
	messagePB := &pb.Message{Event: event, Data: []byte("BILL"), Attempt: 300}
	result := abi.MessageResult{
		Index: 7, Status: abi.StatusFailed, Reason: "no person", Retryable: true, Data: []byte{},
		Batcher: pointer("audit"), BatchKey: pointer(""), BatchMode: pointer(abi.BatchModeBulk),
		OnFailure: abi.OnFailureHaltPartition,
		Outputs: []abi.Output{{}, {
			Data: []byte{}, Batcher: pointer(""), BatchKey: pointer("k"), BatchMode: pointer(abi.BatchModeFlush),
		}},
	}
	resultPB := &pb.MessageResult{
		Index: 7, Status: pb.Status_STATUS_FAILED, Reason: "no person", Retryable: true, Data: []byte{},
		Batcher: pointer("audit"), BatchKey: pointer(""), BatchMode: pointer(pb.BatchMode_BATCH_MODE_BULK),
		OnFailure: pb.OnFailure_ON_FAILURE_HALT_PARTITION,
		Outputs: []*pb.Output{{}, {
			Data: []byte{}, Batcher: pointer(""), BatchKey: pointer("k"), BatchMode: pointer(pb.BatchMode_BATCH_MODE_FLUSH),
		}},
	}
	failed := abi.Message{Event: eventBytes, Attempt: 3, FailureKind: "trap", FailureReason: "unreachable"}
	batch := abi.Batch{
		Batcher: "default", BatchKey: "k", Trigger: abi.TriggerFlush, Partition: 200,
		Messages: []abi.Message{message, {Event: eventBytes}},
	}
	for _, c := range []struct {
		name   string
		frame  []byte
		size   int
		schema proto.Message
		parse  func([]byte) (any, error)
		want   any
	}{
		{"message", message.Append(nil), message.Size(), messagePB, parser(abi.ParseMessage), message},
		{
			"failed message", failed.Append(nil), failed.Size(),
			&pb.Message{Event: event, Attempt: 3, FailureKind: "trap", FailureReason: "unreachable"}, parser(abi.ParseMessage), failed,
		},
		{"message result", result.Append(nil), result.Size(), resultPB, parser(abi.ParseMessageResult), result},
		{"nothing changed", abi.MessageResult{}.Append(nil), 0, &pb.MessageResult{}, parser(abi.ParseMessageResult), abi.MessageResult{}},
		{
			"batch", batch.Append(nil), batch.Size(), &pb.Batch{
				Batcher: "default", BatchKey: "k", Trigger: pb.Trigger_TRIGGER_FLUSH, Partition: 200,
				Messages: []*pb.Message{messagePB, {Event: event}},
			}, parser(abi.ParseBatch), batch,
		},
		{
			"configure", abi.Configure{Pipeline: "users", Config: "{}"}.Append(nil), 11,
			&pb.Configure{Pipeline: "users", Config: "{}"}, parser(abi.ParseConfigure), abi.Configure{Pipeline: "users", Config: "{}"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if len(c.frame) != c.size {
				t.Errorf("Size is %d, Append wrote %d", c.size, len(c.frame))
			}
			// A map has no order of its own: what counts is what it decodes to.
			decoded := c.schema.ProtoReflect().New().Interface()
			if err := proto.Unmarshal(c.frame, decoded); err != nil || !proto.Equal(decoded, c.schema) {
				t.Errorf("the library reads %v, %v, want %v", decoded, err, c.schema)
			}
			got, err := c.parse(marshal(t, c.schema))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func parser[T any](parse func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) { return parse(b) }
}

func TestBatchResult(t *testing.T) {
	r := abi.BatchResult{
		Results: []abi.MessageResult{{}, {Index: 1, Status: abi.StatusFailed, Reason: "why"}},
		Records: []abi.Record{{Data: []byte("one")}, {}},
	}
	var schema pb.BatchResult
	if err := proto.Unmarshal(r.Append(nil), &schema); err != nil {
		t.Fatal(err)
	}
	if len(schema.GetResults()) != 2 || schema.GetResults()[1].GetReason() != "why" || string(schema.GetRecords()[0].GetData()) != "one" {
		t.Errorf("the library reads %v", &schema)
	}
	got, err := abi.ParseBatchResult(marshal(t, &schema))
	if diff := cmp.Diff(r, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Error(err, diff)
	}
	stop := errors.New("stop")
	if err := abi.WalkBatchResult(r.Append(nil), func(abi.ResultView) error { return stop }, nil); !errors.Is(err, stop) {
		t.Errorf("the walk went on: %v", err)
	}
}

// The host takes outputs one by one; a batch's results have none.
func TestOutputs(t *testing.T) {
	three := abi.MessageResult{Index: 1, Outputs: make([]abi.Output, 3)}
	stop, seen := errors.New("stop"), 0
	var view abi.ResultView
	err := view.Read(three.Append(nil), func(abi.Changes) error {
		if seen++; seen == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || seen != 2 {
		t.Errorf("the walk went on to output %d: %v", seen, err)
	}
	for name, results := range map[string][]abi.MessageResult{"alone": {three}, "behind others": {{}, {Index: 2}, three}} {
		got, err := abi.ParseBatchResult(abi.BatchResult{Results: results}.Append(nil))
		if !errors.Is(err, abi.ErrFrame) || len(got.Results) != len(results)-1 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestEvent(t *testing.T) {
	e, err := abi.ParseEvent(marshal(t, event))
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[*[]byte]string{
		&e.ID: event.Id, &e.Name: event.Name, &e.Topic: event.Topic, &e.Data: event.Data, &e.Source: event.Source,
		&e.GroupKey: event.GroupKey, &e.ReferenceKey: event.ReferenceKey, &e.TraceKey: event.TraceKey,
		&e.UserKey: event.UserKey, &e.AnonymousKey: event.AnonymousKey, &e.OccurredAt: event.OccurredAt,
		&e.PrevID: event.PrevId, &e.AvailableAt: event.AvailableAt,
	} {
		if string(*got) != want {
			t.Errorf("got %q, want %q", *got, want)
		}
	}
	if v, ok := e.Context("k"); !ok || string(v) != "é" || e.Offset != event.Offset {
		t.Errorf("context k is %q, offset %d", v, e.Offset)
	}
	if _, ok := e.Context("none"); ok {
		t.Error("a key that is not there")
	}
}

// What is not a frame is refused; what is only newer than we are is not.
func TestMalformed(t *testing.T) {
	for name, b := range map[string]string{
		"a key cut off":             "\x80",
		"a value cut off":           "\x08\x80",
		"a varint of 11 bytes":      "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"a length past the end":     "\x1a\x05abcd",
		"a length of 2^64-1":        "\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"field 0":                   "\x00\x01",
		"field 2^29":                "\x80\x80\x80\x80\x10\x01",
		"a group":                   "\x0b",
		"the end of a group":        "\x0c",
		"wire type 6":               "\x0e",
		"wire type 7":               "\x0f",
		"a fixed64 cut off":         "\x79\x00",
		"a fixed32 cut off":         "\x7d\x00",
		"an index above 2^32-1":     "\x08\x80\x80\x80\x80\x10",
		"an unknown status":         "\x10\x02",
		"an unknown on_failure":     "\x48\x05",
		"an on_failure of 2^64-1":   "\x48\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"an output cut off":         "\x52\x02\x0a",
		"an output that is none":    "\x52\x01\x0b",
		"an output's unknown mode":  "\x52\x02\x20\x02",
		"an output's bad key":       "\x52\x03\x1a\x01\xff",
		"a reason that is not text": "\x1a\x01\xff",
	} {
		if r, err := abi.ParseMessageResult([]byte(b)); !errors.Is(err, abi.ErrFrame) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	for name, b := range map[string]string{
		"an unknown varint":  "\x78\x01",
		"on_failure as text": "\x4a\x01?",
		"outputs as number":  "\x50\x01",
		"an unknown fixed64": "\x79\x00\x00\x00\x00\x00\x00\x00\x00",
		"an unknown fixed32": "\x7d\x00\x00\x00\x00",
		"an unknown text":    "\x7a\x01?",
		"status as a text":   "\x12\x01?",
		"reason as a number": "\x18\x01",
	} {
		if r, err := abi.ParseMessageResult([]byte(b)); err != nil || !cmp.Equal(r, abi.MessageResult{}) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if r, err := abi.ParseMessageResult([]byte("\x10\x01\x10\x00\x1a\x01a\x1a\x01b")); err != nil || r.Status != abi.StatusOK || r.Reason != "b" {
		t.Errorf("the last occurrence does not count: %+v, %v", r, err)
	}
}

func TestPack(t *testing.T) {
	for _, want := range [][2]uint32{{0, 0}, {1, 2}, {0xffffffff, 0}, {0, 0xffffffff}, {0xffffffff, 0xffffffff}} {
		if ptr, size := abi.Unpack(abi.Pack(want[0], want[1])); ptr != want[0] || size != want[1] {
			t.Errorf("packed %v, unpacked %d %d", want, ptr, size)
		}
	}
}

// The host's part of a message's way allocates nothing.
func TestAllocations(t *testing.T) {
	m := abi.Message{Event: marshal(t, event), Attempt: 1}
	buf := make([]byte, 0, m.Size())
	ok, data := []byte{}, abi.MessageResult{Data: []byte("BILL"), OnFailure: abi.OnFailureDrop}.Append(nil)
	var view abi.ResultView
	many := abi.MessageResult{Outputs: []abi.Output{{Data: []byte("a")}, {Data: []byte("b")}}}.Append(nil)
	if n := testing.AllocsPerRun(100, func() {
		buf = m.Append(buf[:0])
		_, _ = abi.ParseMessageResult(ok)
		_, _ = abi.ParseMessageResult(data)
		_ = view.Read(many, func(abi.Changes) error { return nil })
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// seeds are frames for the fuzz targets to begin with.
func seeds(f *testing.F) {
	f.Add([]byte{})
	f.Add(marshal(f, event))
	f.Add(marshal(f, &pb.Batch{Batcher: "b", Trigger: 1, Messages: []*pb.Message{{Event: event, Data: []byte("d"), Attempt: 1}}}))
	f.Add(marshal(f, &pb.Batch{Partition: 3, Messages: []*pb.Message{{Event: event, FailureKind: "trap", FailureReason: "r"}}}))
	f.Add(marshal(f, &pb.Message{Attempt: 2, FailureKind: "trap", FailureReason: "r"}))
	f.Add(marshal(f, &pb.BatchResult{Results: []*pb.MessageResult{{Reason: "r"}}, Records: []*pb.Record{{Data: []byte("d")}}}))
	f.Add(marshal(f, &pb.MessageResult{Index: 1, Status: 1, Data: []byte("d"), Batcher: pointer("b")}))
	f.Add(marshal(f, &pb.MessageResult{OnFailure: 4, Outputs: []*pb.Output{{}, {Data: []byte("d"), BatchKey: pointer("k"), BatchMode: pointer(pb.BatchMode(1))}}}))
	f.Add(marshal(f, &pb.BatchResult{Results: []*pb.MessageResult{{OnFailure: 2}, {Index: 1, Outputs: []*pb.Output{{}}}}}))
}

// FuzzParse: no bytes make a Parse function panic, every error is ErrFrame, and
// what was read is written to what reads the same.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		again(t, b, abi.ParseMessage, abi.Message.Append)
		again(t, b, abi.ParseBatch, abi.Batch.Append)
		again(t, b, abi.ParseMessageResult, abi.MessageResult.Append)
		again(t, b, abi.ParseBatchResult, abi.BatchResult.Append)
		again(t, b, abi.ParseConfigure, abi.Configure.Append)
		if e, err := abi.ParseEvent(b); err == nil {
			e.Context("k")
		} else if !errors.Is(err, abi.ErrFrame) {
			t.Errorf("not ErrFrame: %v", err)
		}
	})
}

func again[T any](t *testing.T, b []byte, parse func([]byte) (T, error), appendTo func(T, []byte) []byte) {
	t.Helper()
	first, err := parse(b)
	if err != nil {
		if !errors.Is(err, abi.ErrFrame) {
			t.Errorf("not ErrFrame: %v", err)
		}
		return
	}
	written := appendTo(first, nil)
	if sized, ok := any(first).(interface{ Size() int }); ok && sized.Size() != len(written) {
		t.Errorf("Size is %d, Append wrote %d", sized.Size(), len(written))
	}
	second, err := parse(written)
	if diff := cmp.Diff(first, second, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("read again: %v %s", err, diff)
	}
	if !bytes.Equal(appendTo(second, nil), written) {
		t.Error("written again it differs")
	}
}

// FuzzAgainstProtobuf: whatever the codec takes for a frame, the protobuf
// library reads alike, unless it refuses it for what the codec does not look
// at; and the codec refuses nothing of the library's but what SPEC.md says.
func FuzzAgainstProtobuf(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		agree(t, b, new(pb.MessageResult), abi.ParseMessageResult, resultOf)
		agree(t, b, new(pb.Configure), abi.ParseConfigure, func(c *pb.Configure) abi.Configure {
			return abi.Configure{Pipeline: c.GetPipeline(), Config: c.GetConfig()}
		})
		agree(t, b, new(pb.BatchResult), abi.ParseBatchResult, func(r *pb.BatchResult) (want abi.BatchResult) {
			for _, item := range r.GetResults() {
				want.Results = append(want.Results, resultOf(item))
			}
			for _, item := range r.GetRecords() {
				want.Records = append(want.Records, abi.Record{Data: item.GetData()})
			}
			return want
		})
		agree(t, b, new(pb.Message), eventless(abi.ParseMessage), messageOf)
		agree(t, b, new(pb.Batch), eventless(abi.ParseBatch), func(p *pb.Batch) abi.Batch {
			want := abi.Batch{
				Batcher: p.GetBatcher(), BatchKey: p.GetBatchKey(), Trigger: abi.Trigger(p.GetTrigger()), Partition: p.GetPartition(),
			}
			for _, m := range p.GetMessages() {
				want.Messages = append(want.Messages, messageOf(m))
			}
			return want
		})
		agree(t, b, new(eventpb.Event), parseEvent, func(e *eventpb.Event) *eventpb.Event {
			e.Context, e.Errors, e.DataSchema = map[string]string{"k": e.Context["k"]}, nil, ""
			return e
		})
	})
}

// agree compares what the two read of b. The library may refuse what the codec
// skips. What the codec refuses, the library refuses as well, but for what
// mayRefuse names.
func agree[P proto.Message, T any](t *testing.T, b []byte, p P, parse func([]byte) (T, error), want func(P) T) {
	t.Helper()
	got, err := parse(b)
	if libraryErr := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, p); libraryErr != nil {
		return
	}
	if err != nil {
		if !mayRefuse(p.ProtoReflect(), b) {
			t.Errorf("the codec refuses what the library reads as %v: %v", p, err)
		}
		return
	}
	if diff := cmp.Diff(want(p), got, cmpopts.EquateEmpty(), protocmp.Transform()); diff != "" {
		t.Errorf("the library and the codec differ: %s", diff)
	}
}

// mayRefuse reports whether a well-formed b has what SPEC.md has refused: a
// group, a status or mode that is none, an index beyond 32 bits, outputs in a
// batch's result.
func mayRefuse(m protoreflect.Message, b []byte) bool {
	for len(b) > 0 {
		num, wire, n := protowire.ConsumeTag(b)
		field := m.Descriptor().Fields().ByNumber(num)
		value := b[n:]
		size := protowire.ConsumeFieldValue(num, wire, value)
		switch {
		case wire == protowire.StartGroupType:
			return true
		case field != nil && wire == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(value)
			if beyond(field, v) {
				return true
			}
		case field != nil && wire == protowire.BytesType && field.IsList() && field.Message() != nil:
			inner, _ := protowire.ConsumeBytes(value)
			item := dynamicpb.NewMessage(field.Message())
			if mayRefuse(item, inner) || field.Name() == "results" && hasOutputs(item, inner) {
				return true
			}
		}
		b = value[size:]
	}
	return false
}

func beyond(field protoreflect.FieldDescriptor, v uint64) bool {
	switch field.Kind() {
	case protoreflect.EnumKind:
		return v >= uint64(field.Enum().Values().Len()) //nolint:gosec // few
	case protoreflect.Uint32Kind:
		return v > math.MaxUint32
	}
	return false
}

func hasOutputs(result protoreflect.Message, b []byte) bool {
	field := result.Descriptor().Fields().ByName("outputs")
	return proto.Unmarshal(b, result.Interface()) == nil && result.Has(field)
}

// eventless has a parser leave out the events, which the codec does not read.
func eventless[T abi.Message | abi.Batch](parse func([]byte) (T, error)) func([]byte) (T, error) {
	return func(b []byte) (T, error) {
		v, err := parse(b)
		switch v := any(&v).(type) {
		case *abi.Message:
			v.Event = nil
		case *abi.Batch:
			for i := range v.Messages {
				v.Messages[i].Event = nil
			}
		}
		return v, err
	}
}

func messageOf(m *pb.Message) abi.Message {
	return abi.Message{
		Data: m.Data, Attempt: m.GetAttempt(), //nolint:protogetter // presence counts
		FailureKind: m.GetFailureKind(), FailureReason: m.GetFailureReason(),
	}
}

func resultOf(r *pb.MessageResult) abi.MessageResult {
	want := abi.MessageResult{
		Index: r.GetIndex(), Status: abi.Status(r.GetStatus()), Reason: r.GetReason(), Retryable: r.GetRetryable(),
		Data: r.Data, Batcher: r.Batcher, BatchKey: r.BatchKey, //nolint:protogetter // presence counts
	}
	if r.BatchMode != nil { //nolint:protogetter // presence counts
		want.BatchMode = pointer(abi.BatchMode(r.GetBatchMode()))
	}
	want.OnFailure = abi.OnFailure(r.GetOnFailure()) //nolint:gosec // of an enum
	for _, o := range r.GetOutputs() {
		output := abi.Output{Data: o.Data, Batcher: o.Batcher, BatchKey: o.BatchKey} //nolint:protogetter // presence counts
		if o.BatchMode != nil {                                                      //nolint:protogetter // presence counts
			output.BatchMode = pointer(abi.BatchMode(o.GetBatchMode()))
		}
		want.Outputs = append(want.Outputs, output)
	}
	return want
}

// parseEvent is ParseEvent, made comparable with what the library reads.
func parseEvent(b []byte) (*eventpb.Event, error) {
	e, err := abi.ParseEvent(b)
	if err != nil {
		return nil, err
	}
	k, _ := e.Context("k")
	return &eventpb.Event{
		Id: string(e.ID), Name: string(e.Name), Topic: string(e.Topic), Data: string(e.Data), Source: string(e.Source),
		GroupKey: string(e.GroupKey), ReferenceKey: string(e.ReferenceKey), TraceKey: string(e.TraceKey),
		UserKey: string(e.UserKey), AnonymousKey: string(e.AnonymousKey), OccurredAt: string(e.OccurredAt),
		Context: map[string]string{"k": string(k)}, Offset: e.Offset,
		PrevId: string(e.PrevID), AvailableAt: string(e.AvailableAt),
	}, nil
}

func BenchmarkMessageAppend(b *testing.B) {
	m := abi.Message{Event: marshal(b, event), Attempt: 1}
	buf := make([]byte, 0, m.Size())
	b.ReportAllocs()
	for b.Loop() {
		buf = m.Append(buf[:0])
	}
}

func BenchmarkParseMessageResult(b *testing.B) {
	frame := abi.MessageResult{Data: []byte("BILL")}.Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := abi.ParseMessageResult(frame); err != nil {
			b.Fatal(err)
		}
	}
}
