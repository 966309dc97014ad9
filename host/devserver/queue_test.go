package devserver_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/relayhost/relayhost/host/devserver"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

func TestQueueLocksWhatItDelivers(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	first := b.topicAndQueue(t, "users")
	b.publish(t, "users", 3)
	second := must(t)(b.CreateDestination(devserver.Destination{Name: "later", Topic: "users"}))
	for _, step := range []struct {
		queue string
		batch int32
		want  []string
	}{
		{first, 2, []string{"e0", "e1"}},
		{first, 2, []string{"e2"}},
		{first, 2, []string{}},
		{second, 0, []string{"e0", "e1", "e2"}}, // its own locks, and the whole history
		{second, 0, []string{}},
	} {
		if got := b.pull(t, step.queue, step.batch); !slices.Equal(got, step.want) {
			t.Errorf("got %q, want %q", got, step.want)
		}
	}
}

func TestQueueBatchSizes(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	queue := b.topicAndQueue(t, "users")
	b.publish(t, "users", 100_201)
	for _, step := range []struct {
		batch int32
		want  int
	}{{0, 100}, {100_001, 100_000}, {1 << 30, 101}} {
		if got := b.pull(t, queue, step.batch); len(got) != step.want {
			t.Errorf("a batch of %d brought %d, want %d", step.batch, len(got), step.want)
		}
	}
	_, err := b.events.PullQueuedEvents(b.admin(t), &pb.PullQueuedEventsRequest{DestinationId: queue, BatchSize: -1})
	wantInternal(t, err)
}

func TestQueueUnknownDestinationIsAnInternalError(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	deleted := b.topicAndQueue(t, "users")
	if _, err := b.destinations.DeleteDestination(b.admin(t), &pb.DeleteDestinationRequest{Id: deleted}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", "x", "0d9caf29-18b4-4062-bb09-7f573b7ea4df", deleted} {
		_, err := b.events.PullQueuedEvents(b.admin(t), &pb.PullQueuedEventsRequest{DestinationId: id})
		wantInternal(t, err)
	}
}

func TestQueueShowsTheDestinationsTopic(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	all := b.topicAndQueue(t, "users")
	one := must(t)(b.CreateDestination(devserver.Destination{Name: "tenant", Topic: "users:7"}))
	b.publish(t, "users", 1)
	b.publish(t, "users:7", 1)
	b.publish(t, "users:8", 1)
	for queue, want := range map[string][]string{all: {"users", "users", "users"}, one: {"users:7"}} {
		r, err := b.events.PullQueuedEvents(b.admin(t), &pb.PullQueuedEventsRequest{DestinationId: queue})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range r.GetEvents() {
			got = append(got, e.GetTopic())
		}
		if !slices.Equal(got, want) {
			t.Errorf("got topics %q, want %q", got, want)
		}
	}
}

func TestQueueTakesWhatItsQueryMatches(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	b.topicAndQueue(t, "users")
	b.publish(t, "users", 5)
	queue := must(t)(b.CreateDestination(devserver.Destination{Name: "some", Topic: "users", Query: "data.n >= 2 and name != 'e3'"}))
	if got := b.pull(t, queue, 0); !slices.Equal(got, []string{"e2", "e4"}) {
		t.Errorf("got %q", got)
	}
	if _, err := b.CreateDestination(devserver.Destination{Name: "none", Topic: "users", Query: "nope == 1"}); err == nil {
		t.Error("a query of an unknown field was accepted")
	}
}

func TestQueueHoldsBackWhatIsNotAvailable(t *testing.T) {
	clock := newClock()
	b, _ := start(t, devserver.Options{Now: clock.now})
	queue := b.topicAndQueue(t, "users")
	later, soon := event(0), event(1)
	later.AvailableAt = clock.now().Add(2 * time.Hour).Format(time.RFC3339)
	soon.AvailableAt = clock.now().Add(time.Hour).Format(time.RFC3339)
	_, err := b.events.PublishEvents(b.admin(t), &pb.PublishEventsRequest{
		Topic: "users", Durable: true, Events: []*pb.NewEvent{later, soon, event(2)},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := func(batch int32, want ...string) {
		t.Helper()
		if got := b.pull(t, queue, batch); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	want(10, "e2") // the higher offset first
	want(10)
	clock.advance(time.Hour)
	want(10, "e1")
	want(10)
	b.publish(t, "users", 1)
	clock.advance(time.Hour)
	want(1, "e0") // held back, and below the new one
	want(10, "e0")
	want(10)
}

func TestConcurrentCallersGetDisjointEvents(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	queue := b.topicAndQueue(t, "users")
	const callers, events = 8, 1000
	b.publish(t, "users", events)
	seen := make(chan string, 2*events)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for {
				r, err := b.events.PullQueuedEvents(b.admin(t), &pb.PullQueuedEventsRequest{DestinationId: queue, BatchSize: 7})
				if err != nil || len(r.GetEvents()) == 0 {
					return
				}
				for _, e := range r.GetEvents() {
					seen <- e.GetId()
				}
			}
		})
	}
	wg.Wait()
	close(seen)
	distinct := map[string]bool{}
	for id := range seen {
		if distinct[id] {
			t.Errorf("event %s came twice", id)
		}
		distinct[id] = true
	}
	if len(distinct) != events {
		t.Errorf("got %d events, want %d", len(distinct), events)
	}
}

func TestUnlockIsUnimplementedForEveryKey(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	queue := b.topicAndQueue(t, "users")
	for _, token := range []string{b.AdminToken(), must(t)(b.CreateProducerKey("users")), must(t)(b.CreateConsumerKey(queue))} {
		_, err := b.events.UnLockQueuedEvents(withToken(t, token), &pb.UnLockQueuedEventsRequest{DestinationId: queue})
		wantStatus(t, err, codes.Unimplemented, "Operation is not implemented or not supported/enabled in this service")
	}
	open, _ := start(t, devserver.Options{AuthOff: true})
	_, err := open.events.UnLockQueuedEvents(t.Context(), &pb.UnLockQueuedEventsRequest{})
	wantStatus(t, err, codes.Unimplemented, "")
}

func TestUnlockMakesEventsDeliverableAgain(t *testing.T) {
	b, _ := start(t, devserver.Options{Unlock: true})
	queue := b.topicAndQueue(t, "users")
	other := must(t)(b.CreateDestination(devserver.Destination{Name: "other", Topic: "users"}))
	b.publish(t, "users", 4)
	consumer := withToken(t, must(t)(b.CreateConsumerKey(queue)))
	r, err := b.events.PullQueuedEvents(consumer, &pb.PullQueuedEventsRequest{DestinationId: queue, BatchSize: 3})
	if err != nil {
		t.Fatal(err)
	}
	b.pull(t, other, 4)
	id := func(i int) string { return r.GetEvents()[i].GetId() }
	unlock := func(ids ...string) []string {
		t.Helper()
		u, err := b.events.UnLockQueuedEvents(consumer, &pb.UnLockQueuedEventsRequest{DestinationId: queue, EventIds: ids})
		if err != nil {
			t.Fatal(err)
		}
		return names(u.GetEvents())
	}
	if got := unlock(id(2), id(0), "unknown"); !slices.Equal(got, []string{"e0", "e2"}) {
		t.Errorf("unlocked %q", got)
	}
	if got := unlock(id(2)); len(got) > 0 {
		t.Errorf("unlocked %q twice", got)
	}
	if got := b.pull(t, queue, 10); !slices.Equal(got, []string{"e0", "e2", "e3"}) {
		t.Errorf("pulled %q", got)
	}
	if got := b.pull(t, other, 10); len(got) > 0 {
		t.Errorf("another destination got %q", got)
	}
	_, err = b.events.UnLockQueuedEvents(b.admin(t), &pb.UnLockQueuedEventsRequest{DestinationId: "x"})
	wantInternal(t, err)
}

// clock is a time that the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}
