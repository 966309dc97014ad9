package devserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/relayhost/relayhost/host/devserver"
)

type exchange struct {
	Step, Method, Key, Code, Message string
	Request, Response                json.RawMessage
}

// The recording's own topics, in the order in which it lists them: the replay
// makes the same ones, so that `list topics` is compared too.
var recordedTopics = strings.Fields("users actions webhooks lab lab2 lab_three ptopic1 bench rl1 rl2 rl3 rl4 rl5 schema transcript")

// The recording's destinations: on transcript, and on users.
const (
	recordedQueue = "2512b894-2f1b-43cb-8da5-0ee517f945c9"
	recordedOther = "bf3ac21a-bec3-4946-ab5b-7bf2df1de125"
)

// TestTranscript replays what was said to a real EventRelay server and wants
// the same answers, but for ids, keys, offsets and times. Those are mapped: one
// of the recording is always the same one of the replay.
func TestTranscript(t *testing.T) {
	text, err := os.ReadFile("testdata/eventrelay-transcript.json")
	if err != nil {
		t.Fatal(err)
	}
	var exchanges []exchange
	if err := json.Unmarshal(text, &exchanges); err != nil {
		t.Fatal(err)
	}
	r := newReplay(t)
	for _, x := range exchanges {
		t.Run(x.Step, func(t *testing.T) { r.play(t, x) })
	}
}

type replay struct {
	*bench
	tokens map[string]string
	ids    map[string]string // the recording's destinations to the replay's
	seen   mapping
}

func newReplay(t *testing.T) *replay {
	b, _ := start(t, devserver.Options{})
	for _, name := range recordedTopics {
		if err := b.CreateTopic(name); err != nil {
			t.Fatal(err)
		}
	}
	queue := must(t)(b.CreateDestination(devserver.Destination{Name: "transcript", Topic: "transcript"}))
	other := must(t)(b.CreateDestination(devserver.Destination{Name: "users", Topic: "users"}))
	return &replay{
		bench: b,
		tokens: map[string]string{
			"admin":    b.AdminToken(),
			"producer": must(t)(b.CreateProducerKey("users")),
			"consumer": must(t)(b.CreateConsumerKey(other)),
		},
		ids:  map[string]string{recordedQueue: queue, recordedOther: other},
		seen: mapping{there: map[string]string{}, here: map[string]string{}},
	}
}

func (r *replay) play(t *testing.T, x exchange) {
	service, method, _ := strings.Cut(x.Method, "/")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName("eventrelay." + service + "." + method))
	if err != nil {
		t.Fatal(err)
	}
	request := message(t, d.(protoreflect.MethodDescriptor).Input(), x.Request)
	for there, here := range r.ids {
		replaceText(request, there, here)
	}
	got := newMessage(t, d.(protoreflect.MethodDescriptor).Output())
	err = r.conn.Invoke(r.as(t, x.Key), "/eventrelay."+x.Method, request, got)
	if code := status.Code(err); code.String() != x.Code || status.Convert(err).Message() != x.Message {
		t.Fatalf("got %v, want %s %q", err, x.Code, x.Message)
	}
	if status.Code(err) != codes.OK {
		return
	}
	want := message(t, d.(protoreflect.MethodDescriptor).Output(), x.Response)
	r.seen.check(t, "", want.ProtoReflect(), got.ProtoReflect())
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("response (-recorded +replayed):\n%s", diff)
	}
}

func (r *replay) as(t *testing.T, key string) context.Context {
	if header, ok := strings.CutPrefix(key, "header:"); ok {
		name, value, _ := strings.Cut(header, ": ")
		if name == "" {
			return t.Context()
		}
		return metadata.AppendToOutgoingContext(t.Context(), name, value)
	}
	return withToken(t, r.tokens[key])
}

func newMessage(t *testing.T, d protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return kind.New().Interface()
}

func message(t *testing.T, d protoreflect.MessageDescriptor, text json.RawMessage) proto.Message {
	t.Helper()
	m := newMessage(t, d)
	if err := protojson.Unmarshal(text, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func replaceText(m proto.Message, there, here string) {
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Kind() == protoreflect.StringKind && f.Cardinality() != protoreflect.Repeated && v.String() == there {
			m.ProtoReflect().Set(f, protoreflect.ValueOfString(here))
		}
		return true
	})
}

// mapping pairs what differs from run to run.
type mapping struct{ there, here map[string]string }

// check walks both messages, wants the values that differ from run to run to be
// paired as they were before, and then makes the replay's equal the recording's.
func (m mapping) check(t *testing.T, path string, want, got protoreflect.Message) {
	t.Helper()
	fields := want.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		at := path + "." + string(f.Name())
		switch {
		case f.IsMap():
		case f.Kind() == protoreflect.MessageKind && f.IsList():
			a, b := want.Get(f).List(), got.Get(f).List()
			for j := range min(a.Len(), b.Len()) {
				m.check(t, fmt.Sprintf("%s[%d]", at, j), a.Get(j).Message(), b.Get(j).Message())
			}
		case f.Kind() == protoreflect.MessageKind:
			if want.Has(f) && got.Has(f) {
				m.check(t, at, want.Get(f).Message(), got.Get(f).Message())
			}
		case m.varies(f, want):
			m.pair(t, at, kindOf(f), want.Get(f).String(), got.Get(f).String())
			got.Set(f, want.Get(f))
		}
	}
}

// varies: an empty value never does; nor does a time that the publisher set.
func (m mapping) varies(f protoreflect.FieldDescriptor, want protoreflect.Message) bool {
	if !want.Has(f) {
		return false
	}
	switch f.Name() {
	case "id", "key", "secret", "offset":
		return true
	case "occurred_at", "available_at":
		return strings.HasPrefix(want.Get(f).String(), "2026-11-23T")
	}
	return false
}

func kindOf(f protoreflect.FieldDescriptor) string { return string(f.Name()) + ":" }

// pair wants there and here to be each other's only partners. Times are only
// wanted to be times: two of the recording may be one of the replay.
func (m mapping) pair(t *testing.T, at, kind, there, here string) {
	t.Helper()
	if strings.HasSuffix(kind, "_at:") {
		if _, err := time.Parse("2006-01-02T15:04:05Z", here); err != nil {
			t.Errorf("%s: %v", at, err)
		}
		return
	}
	if kind == "key:" || kind == "secret:" {
		if here == "" {
			t.Errorf("%s is empty", at)
		}
		return
	}
	if before, ok := m.there[kind+there]; ok && before != here {
		t.Errorf("%s: %s was %s and is %s", at, there, before, here)
	}
	if before, ok := m.here[kind+here]; ok && before != there {
		t.Errorf("%s: %s stood for %s and stands for %s", at, here, before, there)
	}
	m.there[kind+there], m.here[kind+here] = here, there
}
