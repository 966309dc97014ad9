package devserver_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/devserver"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

func TestLogPages(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	b.topicAndQueue(t, "users")
	b.publish(t, "users", 1500)
	for _, c := range []struct {
		batch, offset           int32
		rows                    int
		first                   string
		next, previous, batches int32
	}{
		{0, 0, 100, "e0", 100, 0, 15},
		{1000, 0, 1000, "e0", 1000, 0, 2},
		{1001, 0, 100, "e0", 100, 0, 15},
		{1000, 1000, 500, "e1000", 0, 0, 2},
		{500, 1000, 500, "e1000", 0, 500, 3},
		{7, 3, 7, "e3", 10, 0, 215},
		{10, 1500, 0, "", 0, 1490, 150},
		{10, 5000, 0, "", 0, 4990, 150},
	} {
		t.Run(fmt.Sprintf("batch %d offset %d", c.batch, c.offset), func(t *testing.T) {
			r, err := b.events.PullEvents(b.admin(t), &pb.PullEventsRequest{Topic: "users", BatchSize: c.batch, Offset: c.offset})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.GetEvents()) != c.rows || c.rows > 0 && r.GetEvents()[0].GetName() != c.first {
				t.Errorf("got %d events, want %d from %s", len(r.GetEvents()), c.rows, c.first)
			}
			if r.GetTotalCount() != 1500 || r.GetNextOffset() != c.next || r.GetPreviousOffset() != c.previous || r.GetTotalBatches() != c.batches {
				t.Errorf("got counts %d %d %d %d", r.GetTotalCount(), r.GetNextOffset(), r.GetPreviousOffset(), r.GetTotalBatches())
			}
		})
	}
}

func TestLogFaultsAreInternalErrors(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	b.topicAndQueue(t, "users")
	for _, r := range []*pb.PullEventsRequest{
		{Topic: "users", BatchSize: -1},
		{Topic: "users", Offset: -1},
		{Topic: "nope"},
		{Topic: ""},
		{Topic: "users", Query: "nope == 'x'"},
		{Topic: "users", Query: "offset == 'x'"},
		{Topic: "users", Query: "id == 'not a UUID'"},
	} {
		_, err := b.events.PullEvents(b.admin(t), r)
		wantInternal(t, err)
	}
}

// TestLogQueries asks by every kind of field: the language itself is tested
// where it is made.
func TestLogQueries(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	b.topicAndQueue(t, "users")
	rich := &pb.NewEvent{
		Name: "rich", Source: "s", Data: `{"person": {"first_name": "P7"}, "list": [1, {"x": 2}], "n": 20.5}`,
		GroupKey: "g", ReferenceKey: "r", TraceKey: "t", UserKey: "u", AnonymousKey: "a",
		OccurredAt: "2026-01-02T03:04:05Z", Context: map[string]string{"k": "1"},
		PrevId: "0d9caf29-18b4-4062-bb09-7f573b7ea4df",
	}
	r, err := b.events.PublishEvents(b.admin(t), &pb.PublishEventsRequest{
		Topic: "users:7", Durable: true, Events: []*pb.NewEvent{rich, event(1)},
	})
	if err != nil {
		t.Fatal(err)
	}
	plain, richEvent := r.GetEvents()[0], r.GetEvents()[1]
	all := []string{"rich", "e1"}
	for query, want := range map[string][]string{
		"": all,
		fmt.Sprintf("offset > %d", richEvent.GetOffset()):                                      {"e1"},
		fmt.Sprintf("offset >= %d", richEvent.GetOffset()):                                     all,
		fmt.Sprintf("offset > %d and offset < %d", richEvent.GetOffset()-1, plain.GetOffset()): {"rich"},
		fmt.Sprintf("id in ['%s']", plain.GetId()):                                             {"e1"},
		"name == 'rich'":         {"rich"},
		"name != 'rich'":         {"e1"},
		"name in ['rich', 'e1']": all,
		"source == 's'":          {"rich"},
		"group_key == 'g'":       {"rich"},
		"group_key != 'x'":       {"rich"}, // the other's is null
		"reference_key == 'r'":   {"rich"},
		"trace_key == 't'":       {"rich"},
		"user_key == 'u'":        {"rich"},
		"anonymous_key == 'a'":   {"rich"},
		"prev_id == '0D9CAF29-18B4-4062-BB09-7F573B7EA4DF'": {"rich"},
		"occurred_at < '2026-01-02T05:00:00+01:00'":         {"rich"},
		"topic_name == 'users'":                             all,
		"topic_identifier == '7'":                           all,
		"context.k == '1'":                                  {"rich"},
		"context.k.k == '1'":                                {},
		"data.person.first_name == 'P7'":                    {"rich"},
		"data.list.1.x == 2":                                {"rich"},
		"data.n >= 20 and data.n < 22":                      {"rich"},
		"data.n == 1":                                       {"e1"},
		"name == \"rich\"":                                  all, // what does not parse is ignored
		"name = 'rich'":                                     all,
		"name like 'rich'":                                  all,
		"nope = 'x'":                                        all,
	} {
		r, err := b.events.PullEvents(b.admin(t), &pb.PullEventsRequest{Topic: "users", Query: query})
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if got := names(r.GetEvents()); !slices.Equal(got, want) || int(r.GetTotalCount()) != len(want) {
			t.Errorf("%s: got %q and a count of %d, want %q", query, got, r.GetTotalCount(), want)
		}
	}
}

func TestLogLocksNothingAndHidesTheFuture(t *testing.T) {
	clock := newClock()
	b, _ := start(t, devserver.Options{Now: clock.now})
	queue := b.topicAndQueue(t, "users")
	later := event(0)
	later.AvailableAt = clock.now().Add(time.Hour).Format(time.RFC3339)
	_, err := b.events.PublishEvents(b.admin(t), &pb.PublishEventsRequest{
		Topic: "users", Durable: true, Events: []*pb.NewEvent{later, event(1)},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := func(want ...string) {
		t.Helper()
		r, err := b.events.PullEvents(b.admin(t), &pb.PullEventsRequest{Topic: "users"})
		if err != nil {
			t.Fatal(err)
		}
		if got := names(r.GetEvents()); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	want("e1")
	want("e1")
	clock.advance(time.Hour)
	want("e0", "e1") // below the cursor of a reader that has seen e1
	if got := b.pull(t, queue, 0); len(got) != 2 {
		t.Errorf("the queue has %q", got)
	}
}

func TestLogOfAnIdentifier(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	b.topicAndQueue(t, "users")
	b.publish(t, "users", 1)
	b.publish(t, "users:7", 2)
	for topic, want := range map[string]int{"users": 3, "users:7": 2, "users:8": 0} {
		r, err := b.events.PullEvents(b.admin(t), &pb.PullEventsRequest{Topic: topic})
		if err != nil {
			t.Fatal(err)
		}
		if int(r.GetTotalCount()) != want {
			t.Errorf("%s has %d events, want %d", topic, r.GetTotalCount(), want)
		}
		for _, e := range r.GetEvents() {
			if e.GetTopic() != topic {
				t.Errorf("asked for %s, an event shows %s", topic, e.GetTopic())
			}
		}
	}
}
