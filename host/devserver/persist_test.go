package devserver_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/relayhost/relayhost/host/devserver"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

func TestRestartChangesNothing(t *testing.T) {
	clock := newClock()
	o := devserver.Options{DataDir: filepath.Join(t.TempDir(), "data"), Unlock: true, Now: clock.now}
	b, stop := start(t, o)
	queue := b.topicAndQueue(t, "users")
	picky := must(t)(b.CreateDestination(devserver.Destination{Name: "picky", Topic: "users:7", Query: "data.n > 2"}))
	gone := must(t)(b.CreateDestination(devserver.Destination{Name: "gone", Topic: "users"}))
	producer := must(t)(b.CreateProducerKey("users"))
	consumer := must(t)(b.CreateConsumerKey(queue))
	revoked, revokedID := newKey(t, b, pb.ApiKeyType_CONSUMER)
	if _, err := b.keys.RevokeApiKey(b.admin(t), &pb.RevokeApiKeyRequest{Id: revokedID}); err != nil {
		t.Fatal(err)
	}

	later := event(100)
	later.AvailableAt = clock.now().Add(time.Hour).Format(time.RFC3339)
	_, err := b.events.PublishEvents(b.admin(t), &pb.PublishEventsRequest{Topic: "users:7", Durable: true, Events: []*pb.NewEvent{later}})
	if err != nil {
		t.Fatal(err)
	}
	b.publish(t, "users:7", 6)
	r, err := b.events.PullQueuedEvents(b.admin(t), &pb.PullQueuedEventsRequest{DestinationId: queue, BatchSize: 4})
	if err != nil {
		t.Fatal(err)
	}
	back := r.GetEvents()[1]
	if _, err := b.events.UnLockQueuedEvents(b.admin(t), &pb.UnLockQueuedEventsRequest{DestinationId: queue, EventIds: []string{back.GetId()}}); err != nil {
		t.Fatal(err)
	}
	b.pull(t, picky, 1)
	b.pull(t, gone, 1)
	if _, err := b.destinations.DeleteDestination(b.admin(t), &pb.DeleteDestinationRequest{Id: gone}); err != nil {
		t.Fatal(err)
	}
	before := describe(t, b)
	admin := b.AdminToken()
	stop()

	b, stop = start(t, o)
	if b.AdminToken() != admin {
		t.Error("the administrator's token changed")
	}
	if after := describe(t, b); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	_, err = b.events.PublishEvents(withToken(t, producer), &pb.PublishEventsRequest{Topic: "users", Durable: true, Events: []*pb.NewEvent{event(6)}})
	wantStatus(t, err, codes.OK, "")
	_, err = b.events.PullQueuedEvents(withToken(t, consumer), &pb.PullQueuedEventsRequest{DestinationId: gone})
	wantInternal(t, err)
	_, err = b.events.PullQueuedEvents(withToken(t, revoked), &pb.PullQueuedEventsRequest{DestinationId: queue})
	wantStatus(t, err, codes.Unauthenticated, "")
	if got, want := b.pull(t, queue, 10), []string{"e1", "e4", "e5", "e6"}; !slices.Equal(got, want) {
		t.Errorf("pulled %q, want %q", got, want)
	}
	if got, want := b.pull(t, picky, 10), []string{"e4", "e5"}; !slices.Equal(got, want) {
		t.Errorf("pulled %q, want %q", got, want)
	}
	stop()

	b, _ = start(t, o)
	clock.advance(time.Hour)
	for _, id := range []string{queue, picky} {
		if got, want := b.pull(t, id, 10), []string{"e100"}; !slices.Equal(got, want) {
			t.Errorf("pulled %q, want %q", got, want)
		}
	}
}

// describe writes down what can be asked without changing anything.
func describe(t *testing.T, b *bench) string {
	t.Helper()
	topics, err := b.topics.ListTopics(b.admin(t), &pb.ListTopicsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	destinations, err := b.destinations.ListDestinations(b.admin(t), &pb.ListDestinationsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var s strings.Builder
	for _, topic := range topics.GetTopics() {
		fmt.Fprintln(&s, topic.GetId(), topic.GetName(), topic.GetGroupKey())
		log, err := b.events.PullEvents(b.admin(t), &pb.PullEventsRequest{Topic: topic.GetName(), BatchSize: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range log.GetEvents() {
			fmt.Fprintln(&s, e.GetId(), e.GetOffset(), e.GetName(), e.GetData(), e.GetOccurredAt(), e.GetAvailableAt())
		}
	}
	for _, d := range destinations.GetDestinations() {
		fmt.Fprintln(&s, d.GetId(), d.GetName(), d.GetTopicName(), d.GetTopicIdentifier(), d.GetDestinationType())
	}
	return s.String()
}

func TestDeletedTopicStaysDeleted(t *testing.T) {
	o := devserver.Options{DataDir: t.TempDir()}
	b, stop := start(t, o)
	if err := b.CreateTopic("users"); err != nil {
		t.Fatal(err)
	}
	b.publish(t, "users", 3)
	list, err := b.topics.ListTopics(b.admin(t), &pb.ListTopicsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.topics.DeleteTopic(b.admin(t), &pb.DeleteTopicRequest{Id: list.GetTopics()[0].GetId()}); err != nil {
		t.Fatal(err)
	}
	stop()
	b, _ = start(t, o)
	queue := b.topicAndQueue(t, "users")
	if got := b.pull(t, queue, 0); len(got) > 0 {
		t.Errorf("got the old topic's %q", got)
	}
	b.publish(t, "users", 1)
	r, err := b.events.PullQueuedEvents(b.admin(t), &pb.PullQueuedEventsRequest{DestinationId: queue})
	if err != nil || r.GetEvents()[0].GetOffset() != 4 {
		t.Errorf("an offset was used again: %v, %v", r, err)
	}
}

func TestDataDirectoryInUse(t *testing.T) {
	o := devserver.Options{DataDir: t.TempDir()}
	start(t, o)
	_, err := devserver.New(o)
	if !errors.Is(err, devserver.ErrInUse) || !strings.Contains(err.Error(), "\nhint: ") {
		t.Errorf("got %v", err)
	}
}

func TestDataDirectoryFaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := devserver.New(devserver.Options{DataDir: file}); err == nil {
		t.Error("a file was taken for a directory")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "eventrelay.db"), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := devserver.New(devserver.Options{DataDir: dir}); err == nil {
		t.Error("a file of another kind was opened")
	}
}

func TestDataDirectoryIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // it has no such modes
	}
	dir := filepath.Join(t.TempDir(), "a", "data")
	start(t, devserver.Options{DataDir: dir})
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "eventrelay.db"): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
}
