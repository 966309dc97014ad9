package devserver_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/host/devserver"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

func TestPublishShowsDataAsEventRelayDoes(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	b.topicAndQueue(t, "users")
	for sent, want := range map[string]string{
		`{}`:                                    `{}`,
		`{"b": 1, "a": {"d": 1, "c": 2}}`:       `{"a":{"c":2,"d":1},"b":1}`,
		`{"n": 2.50}`:                           `{"n":2.5}`,
		`{"n": 1.0}`:                            `{"n":1.0}`,
		`{"n": 1e2}`:                            `{"n":100.0}`,
		`{"n": 1e300}`:                          `{"n":1e+300}`,
		`{"n": 123456789012345678901234567890}`: `{"n":123456789012345678901234567890}`,
		`{"n": -9007199254740993}`:              `{"n":-9007199254740993}`,
		`{"s": "<&> \u00e9 \"q\""}`:             `{"s":"<&> é \"q\""}`,
		`{"a": [1.50, {"y": null, "x": true}]}`: `{"a":[1.5,{"x":true,"y":null}]}`,
		`{"a": 1, "a": 2}`:                      `{"a":2}`,
	} {
		r, err := b.events.PublishEvents(b.admin(t), &pb.PublishEventsRequest{
			Topic: "users", Durable: true, Events: []*pb.NewEvent{{Name: "n", Source: "s", Data: sent}},
		})
		if err != nil {
			t.Errorf("%s: %v", sent, err)
			continue
		}
		if got := r.GetEvents()[0].GetData(); got != want {
			t.Errorf("%s: got %s, want %s", sent, got, want)
		}
	}
}

func TestPublishOneBadEventFailsTheCallAndStoresTheGoodOnes(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	queue := b.topicAndQueue(t, "users")
	schema := func(text string) func(*pb.NewEvent) { return func(e *pb.NewEvent) { e.DataSchema = text } }
	data := func(text string) func(*pb.NewEvent) { return func(e *pb.NewEvent) { e.Data = text } }
	for name, spoil := range map[string]func(*pb.NewEvent){
		"no data":              data(""),
		"data not JSON":        data("{"),
		"data with a tail":     data("{} {}"),
		"data an array":        data("[1]"),
		"data null":            data("null"),
		"data a number":        data("1"),
		"data with NUL":        data(`{"a": "x\u0000y"}`),
		"data key with NUL":    data(`{"a\u0000": 1}`),
		"data NUL in an array": data(`{"a": [["\u0000"]]}`),
		"data number too big":  data(`{"a": 1e400}`),
		"data too deep":        data(strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)),
		"no name":              func(e *pb.NewEvent) { e.Name = "" },
		"blank name":           func(e *pb.NewEvent) { e.Name = "  " },
		"name over 255":        func(e *pb.NewEvent) { e.Name = strings.Repeat("é", 256) },
		"name with NUL":        func(e *pb.NewEvent) { e.Name = "a\x00" },
		"no source":            func(e *pb.NewEvent) { e.Source = "" },
		"prev_id not a UUID":   func(e *pb.NewEvent) { e.PrevId = "7" },
		"occurred_at no time":  func(e *pb.NewEvent) { e.OccurredAt = "yesterday" },
		"available_at no time": func(e *pb.NewEvent) { e.AvailableAt = "tomorrow" },
		"context with NUL":     func(e *pb.NewEvent) { e.Context = map[string]string{"k": "\x00"} },
		"schema fails":         schema(`{"type": "object", "required": ["absent"]}`),
		"schema not JSON":      schema(`{`),
		"schema an array":      schema(`[]`),
		"schema not a schema":  schema(`{"type": 7}`),
		"schema unknown draft": schema(`{"$schema": "http://localhost:1/draft"}`),
		"schema from the net":  schema(`{"$ref": "http://localhost:1/schema.json"}`),
		"schema from a file":   schema(`{"$ref": "file:///etc/hostname"}`),
	} {
		t.Run(name, func(t *testing.T) {
			bad := &pb.NewEvent{Name: "bad", Source: "s", Data: `{"n": 1}`}
			spoil(bad)
			_, err := b.events.PublishEvents(b.admin(t), &pb.PublishEventsRequest{
				Topic: "users", Durable: true, Events: []*pb.NewEvent{event(1), bad, event(2)},
			})
			wantInternal(t, err)
			if got := b.pull(t, queue, 0); !slices.Equal(got, []string{"e1", "e2"}) {
				t.Errorf("stored %q", got)
			}
		})
	}
}

func TestPublishAcceptsTheBounds(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	b.topicAndQueue(t, "users")
	e := &pb.NewEvent{
		Name: strings.Repeat("é", 255), Source: "s", Data: `{"n": 1, "p": {"q": "x"}}`,
		PrevId:     "0d9caf29-18b4-4062-bb09-7f573b7ea4df",
		DataSchema: `{"type": "object", "properties": {"n": {"$ref": "#/definitions/n"}}, "definitions": {"n": {"type": "integer"}}}`,
	}
	r, err := b.events.PublishEvents(b.admin(t), &pb.PublishEventsRequest{Topic: "users", Durable: true, Events: []*pb.NewEvent{e}})
	if err != nil {
		t.Fatal(err)
	}
	got := r.GetEvents()[0]
	if got.GetName() != e.GetName() || got.GetPrevId() != e.GetPrevId() {
		t.Errorf("got %v", got)
	}
	want := `{"definitions":{"n":{"type":"integer"}},"properties":{"n":{"$ref":"#/definitions/n"}},"type":"object"}`
	if got.GetDataSchema() != want {
		t.Errorf("data_schema is %s", got.GetDataSchema())
	}
}

func TestPublishTopics(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	b.topicAndQueue(t, "users")
	publish := func(topic string, events ...*pb.NewEvent) error {
		_, err := b.events.PublishEvents(b.admin(t), &pb.PublishEventsRequest{Topic: topic, Durable: true, Events: events})
		return err
	}
	wantStatus(t, publish("", event(1)), codes.InvalidArgument, "A topic must be provided to publish_events")
	wantStatus(t, publish(":", event(1)), codes.InvalidArgument, "A topic must be provided to publish_events")
	wantInternal(t, publish("nope", event(1)))
	wantStatus(t, publish("users"), codes.OK, "")
	wantStatus(t, publish("users:7", event(1)), codes.OK, "")
}

func TestPublishCutsTimesToSeconds(t *testing.T) {
	now := time.Date(2026, 5, 6, 7, 8, 9, 987654321, time.FixedZone("", 3600))
	b, _ := start(t, devserver.Options{Now: func() time.Time { return now }})
	b.topicAndQueue(t, "users")
	dated := event(1)
	dated.OccurredAt, dated.AvailableAt = "2026-01-02T03:04:05.678+02:00", "2026-01-02T03:04:05Z"
	r, err := b.events.PublishEvents(b.admin(t), &pb.PublishEventsRequest{
		Topic: "users", Durable: true, Events: []*pb.NewEvent{dated, event(2)},
	})
	if err != nil {
		t.Fatal(err)
	}
	undated, shown := r.GetEvents()[0], r.GetEvents()[1]
	if shown.GetOccurredAt() != "2026-01-02T01:04:05Z" || shown.GetAvailableAt() != "2026-01-02T03:04:05Z" {
		t.Errorf("got %v", shown)
	}
	if undated.GetOccurredAt() != "2026-05-06T06:08:09Z" || undated.GetAvailableAt() != "2026-05-06T06:08:09Z" {
		t.Errorf("got %v", undated)
	}
}

func TestPublishNonDurableStoresNothing(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	queue := b.topicAndQueue(t, "users")
	r, err := b.events.PublishEvents(b.admin(t), &pb.PublishEventsRequest{Topic: "users", Events: []*pb.NewEvent{event(1), event(2)}})
	if err != nil {
		t.Fatal(err)
	}
	want := &pb.Event{Name: "e2", Topic: "users", Source: "test", Data: "null", DataSchema: "null"}
	if len(r.GetEvents()) != 2 || !proto.Equal(r.GetEvents()[0], want) {
		t.Errorf("got %v", r.GetEvents())
	}
	if got := b.pull(t, queue, 0); len(got) > 0 {
		t.Errorf("stored %q", got)
	}
}

func TestOffsetsAreOneSequenceForAllTopics(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	b.topicAndQueue(t, "users")
	b.topicAndQueue(t, "orders")
	b.publish(t, "users", 2)
	b.publish(t, "orders", 1)
	b.publish(t, "users", 1)
	r, err := b.events.PullEvents(b.admin(t), &pb.PullEventsRequest{Topic: "users"})
	if err != nil {
		t.Fatal(err)
	}
	first := r.GetEvents()[0].GetOffset()
	for i, want := range []int32{first, first + 1, first + 3} {
		if got := r.GetEvents()[i].GetOffset(); got != want {
			t.Errorf("event %d has offset %d, want %d", i, got, want)
		}
	}
}

func TestRequestTooLargeIsRefused(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	b.topicAndQueue(t, "users")
	e := event(1)
	e.Data = `{"a": "` + strings.Repeat("x", 64<<20) + `"}`
	_, err := b.events.PublishEvents(b.admin(t), &pb.PublishEventsRequest{Topic: "users", Durable: true, Events: []*pb.NewEvent{e}})
	wantStatus(t, err, codes.ResourceExhausted, "")
}
