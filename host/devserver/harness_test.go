package devserver_test

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/relayhost/relayhost/host/devserver"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// bench is a running server, with its administrator's clients.
type bench struct {
	*devserver.Server
	conn         *grpc.ClientConn
	events       pb.EventsClient
	topics       pb.TopicsClient
	destinations pb.DestinationsClient
	keys         pb.ApiKeysClient
}

// start runs a server until the test ends, or until stop is called.
func start(t testing.TB, o devserver.Options) (b *bench, stop func()) {
	t.Helper()
	s, err := devserver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	b = &bench{Server: s, conn: dial(t, s.Addr().String(), insecure.NewCredentials())}
	b.events = pb.NewEventsClient(b.conn)
	b.topics = pb.NewTopicsClient(b.conn)
	b.destinations = pb.NewDestinationsClient(b.conn)
	b.keys = pb.NewApiKeysClient(b.conn)
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		b.conn.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	return b, stop
}

func dial(t testing.TB, addr string, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func withToken(t testing.TB, token string) context.Context {
	return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
}

func (b *bench) admin(t testing.TB) context.Context { return withToken(t, b.AdminToken()) }

// topicAndQueue makes a topic and a destination on it.
func (b *bench) topicAndQueue(t testing.TB, topic string) (destinationID string) {
	t.Helper()
	if err := b.CreateTopic(topic); err != nil {
		t.Fatal(err)
	}
	return must(t)(b.CreateDestination(devserver.Destination{Name: "queue on " + topic, Topic: topic}))
}

// publish publishes n events named e0, e1, … with data {"n": i}.
func (b *bench) publish(t testing.TB, topic string, n int) {
	t.Helper()
	for from := 0; from < n; from += 10_000 {
		r := &pb.PublishEventsRequest{Topic: topic, Durable: true}
		for i := from; i < min(n, from+10_000); i++ {
			r.Events = append(r.Events, event(i))
		}
		if _, err := b.events.PublishEvents(b.admin(t), r); err != nil {
			t.Fatal(err)
		}
	}
}

func event(i int) *pb.NewEvent {
	return &pb.NewEvent{Name: fmt.Sprintf("e%d", i), Source: "test", Data: fmt.Sprintf(`{"n": %d}`, i)}
}

// pull takes up to n events from the queue and returns their names.
func (b *bench) pull(t testing.TB, destinationID string, n int32) []string {
	t.Helper()
	r, err := b.events.PullQueuedEvents(b.admin(t), &pb.PullQueuedEventsRequest{DestinationId: destinationID, BatchSize: n})
	if err != nil {
		t.Fatal(err)
	}
	return names(r.GetEvents())
}

func names(events []*pb.Event) []string {
	list := make([]string, 0, len(events))
	for _, e := range events {
		list = append(list, e.GetName())
	}
	return list
}

// must unwraps a value whose error fails the test.
func must(t testing.TB) func(string, error) string {
	return func(v string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantStatus(t testing.TB, err error, code codes.Code, message string) {
	t.Helper()
	if got := status.Convert(err); got.Code() != code || message != "" && got.Message() != message {
		t.Errorf("got %v %q, want %v %q", got.Code(), got.Message(), code, message)
	}
}

func wantInternal(t testing.TB, err error) {
	t.Helper()
	wantStatus(t, err, codes.Unknown, "Internal Server Error")
}
