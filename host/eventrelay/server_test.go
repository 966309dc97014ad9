package eventrelay_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/relayhost/relayhost/host/eventrelay"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// events answers as a test wants.
type events struct {
	pb.UnimplementedEventsServer
	pull    func(context.Context, *pb.PullQueuedEventsRequest) (*pb.PullQueuedEventsResponse, error)
	publish func(context.Context, *pb.PublishEventsRequest) (*pb.PublishEventsResponse, error)
}

func (e *events) PullQueuedEvents(ctx context.Context, r *pb.PullQueuedEventsRequest) (*pb.PullQueuedEventsResponse, error) {
	if e.pull == nil {
		return &pb.PullQueuedEventsResponse{}, nil
	}
	return e.pull(ctx, r)
}

func (e *events) PublishEvents(ctx context.Context, r *pb.PublishEventsRequest) (*pb.PublishEventsResponse, error) {
	return e.publish(ctx, r)
}

// listen serves register's services on a free port until the test ends, and
// returns options that reach it.
func listen(t testing.TB, config *tls.Config, register func(*grpc.Server)) eventrelay.Options {
	t.Helper()
	var options []grpc.ServerOption
	if config != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	server := grpc.NewServer(options...)
	register(server)
	l := listener(t)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return reach(l)
}

// serve is listen for the events service.
func serve(t testing.TB, config *tls.Config, e *events) eventrelay.Options {
	t.Helper()
	return listen(t, config, func(s *grpc.Server) { pb.RegisterEventsServer(s, e) })
}

func listener(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func reach(l net.Listener) eventrelay.Options {
	return eventrelay.Options{Host: "localhost", Port: l.Addr().(*net.TCPAddr).Port}
}

func dial(t testing.TB, o eventrelay.Options) *grpc.ClientConn {
	t.Helper()
	conn, err := eventrelay.Dial(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// pull makes one call over a connection of its own.
func pull(t testing.TB, o eventrelay.Options) error {
	t.Helper()
	_, err := pb.NewEventsClient(dial(t, o)).PullQueuedEvents(t.Context(), &pb.PullQueuedEventsRequest{})
	return err
}
