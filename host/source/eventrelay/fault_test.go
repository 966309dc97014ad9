package eventrelay_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/relayhost/relayhost/host/secret"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/host/eventrelay"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// broken is a server with a fault of the test's choice: call counts from 0.
type broken struct {
	pb.UnimplementedEventsServer
	calls  atomic.Int32
	answer func(ctx context.Context, call int) (*pb.PullQueuedEventsResponse, error)
}

func (b *broken) PullQueuedEvents(ctx context.Context, _ *pb.PullQueuedEventsRequest) (*pb.PullQueuedEventsResponse, error) {
	return b.answer(ctx, int(b.calls.Add(1))-1)
}

func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	check(t, err)
	return l
}

func at(l net.Listener) eventrelay.Options {
	return eventrelay.Options{
		Host: "localhost", Port: l.Addr().(*net.TCPAddr).Port, Token: secret.New("a2V5OnNlY3JldA=="),
	}
}

// serve runs the server on l until the test ends, or until what it returns is
// called.
func (b *broken) serve(t testing.TB, l net.Listener) (cut func()) {
	t.Helper()
	server := grpc.NewServer()
	pb.RegisterEventsServer(server, b)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := server.Serve(l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { server.Stop(); wg.Wait() })
	return server.Stop
}

// some is n events, each with so many bytes of data.
func some(n, size int) *pb.PullQueuedEventsResponse {
	var r pb.PullQueuedEventsResponse
	if err := proto.Unmarshal(reply(count(1, n)...), &r); err != nil {
		panic(err)
	}
	for _, e := range r.GetEvents() {
		e.Data = strings.Repeat("x", size)
	}
	return &r
}

func TestSourceSurvivesInternalErrors(t *testing.T) {
	b := &broken{answer: func(_ context.Context, call int) (*pb.PullQueuedEventsResponse, error) {
		if call < 3 {
			return nil, errInside
		}
		return some(2, 1), nil
	}}
	l := listen(t, "127.0.0.1:0")
	b.serve(t, l)
	log := newLogbook(t)
	expect(t, arrival(t, open(t, at(l), "d1", log), nil), 2, log)
	if got := log.lines("the server failed inside"); len(got) != 1 {
		t.Errorf("log = %q", log.lines(""))
	}
}

// The events of the pull that was cut are lost, which no client can help.
func TestSourceSurvivesACutConnection(t *testing.T) {
	locked := make(chan struct{})
	b := &broken{answer: func(ctx context.Context, call int) (*pb.PullQueuedEventsResponse, error) {
		if call > 0 {
			return some(2, 1), nil
		}
		close(locked)
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	l := listen(t, "127.0.0.1:0")
	cut := b.serve(t, l)
	log := newLogbook(t)
	came := arrival(t, open(t, at(l), "d1", log), nil)
	<-locked
	cut()
	log.await("the connection to the server broke")
	b.serve(t, listen(t, l.Addr().String()))
	expect(t, came, 2, log)
}

func TestSourceSurvivesAServerThatIsNone(t *testing.T) {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	web := &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		w.WriteHeader(http.StatusInternalServerError)
	})}
	l := listen(t, "127.0.0.1:0")
	done := make(chan error, 1)
	go func() { done <- web.Serve(l) }()
	log := newLogbook(t)
	came := arrival(t, open(t, at(l), "d1", log), nil)
	log.await("does not speak gRPC")
	check(t, web.Close())
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	b := &broken{answer: func(context.Context, int) (*pb.PullQueuedEventsResponse, error) { return some(2, 1), nil }}
	b.serve(t, listen(t, l.Addr().String()))
	expect(t, came, 2, log)
}

func TestSourceTakesHugeReplies(t *testing.T) {
	b := &broken{answer: func(context.Context, int) (*pb.PullQueuedEventsResponse, error) { return some(4, 5<<20), nil }}
	l := listen(t, "127.0.0.1:0")
	b.serve(t, l)
	for _, m := range mustPull(t, open(t, at(l), "d1", newLogbook(t)), nil, 10) {
		if len(m.Event) < 5<<20 {
			t.Errorf("event of %d bytes", len(m.Event))
		}
	}
}

// What a newer server sends and this host does not know must reach the guest.
func TestSourceKeepsUnknownFields(t *testing.T) {
	unknown := protowire.AppendString(protowire.AppendTag(nil, 900, protowire.BytesType), "new")
	b := &broken{answer: func(context.Context, int) (*pb.PullQueuedEventsResponse, error) {
		r := some(1, 1)
		r.GetEvents()[0].ProtoReflect().SetUnknown(unknown)
		return r, nil
	}}
	l := listen(t, "127.0.0.1:0")
	b.serve(t, l)
	m := mustPull(t, open(t, at(l), "d1", newLogbook(t)), nil, 1)[0]
	if !strings.HasSuffix(string(m.Event), string(unknown)) {
		t.Errorf("event = %x", m.Event)
	}
}

// One reply's messages lie in one block of memory; none may reach into another.
func TestSourceKeepsMessagesApart(t *testing.T) {
	f := newFake(func(context.Context, int, int) ([]byte, error) { return reply(1, 2), nil })
	got := mustPull(t, f.source(newLogbook(t)), nil, 10)
	before := string(got[1].Event)
	_ = append(got[0].Event, "overflow"...)
	if string(got[1].Event) != before {
		t.Error("appending to one event changed the next")
	}
}

func TestSourceStopsAfterTheRequestInFlight(t *testing.T) {
	asked, stop := make(chan struct{}), make(chan struct{})
	b := &broken{answer: func(ctx context.Context, _ int) (*pb.PullQueuedEventsResponse, error) {
		close(asked)
		select {
		case <-stop:
			return some(3, 1), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	l := listen(t, "127.0.0.1:0")
	b.serve(t, l)
	came := arrival(t, open(t, at(l), "d1", newLogbook(t)), stop)
	<-asked
	close(stop)
	if got := <-came; len(got) != 3 {
		t.Errorf("%d messages", len(got))
	}
}

func TestSourceAbandonsTheRequestWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := &broken{answer: func(ctx context.Context, _ int) (*pb.PullQueuedEventsResponse, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	l := listen(t, "127.0.0.1:0")
	b.serve(t, l)
	log := newLogbook(t)
	got, err := open(t, at(l), "d1", log).Pull(ctx, nil, 10)
	if got != nil || !errors.Is(err, context.Canceled) || len(log.lines("")) != 0 {
		t.Errorf("%v, %v, log %q", got, err, log.lines(""))
	}
}

// A reply that trickles in, and stands still while the host is told to stop,
// still arrives.
func TestSourceWaitsForATrickle(t *testing.T) {
	b := &broken{answer: func(context.Context, int) (*pb.PullQueuedEventsResponse, error) { return some(10, 10_000), nil }}
	inner := listen(t, "127.0.0.1:0")
	b.serve(t, inner)
	proxy := newTrickle(t, inner.Addr().String())
	stop := make(chan struct{})
	came := arrival(t, open(t, at(proxy.listener), "d1", newLogbook(t)), stop)
	<-proxy.halfway
	close(stop)
	close(proxy.goOn)
	if got := <-came; len(got) != 10 {
		t.Errorf("%d messages", len(got))
	}
}

// trickle forwards one connection, what comes back in small pieces, and stands
// still in the middle.
type trickle struct {
	listener      net.Listener
	halfway, goOn chan struct{}
}

func newTrickle(t testing.TB, server string) *trickle {
	t.Helper()
	p := &trickle{listener: listen(t, "127.0.0.1:0"), halfway: make(chan struct{}), goOn: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		client, err := p.listener.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		upstream, err := net.Dial("tcp", server)
		if err != nil {
			t.Error(err)
			return
		}
		wg.Go(func() {
			_, _ = io.Copy(upstream, client)
			_ = upstream.Close()
		})
		p.forward(client, upstream)
	})
	t.Cleanup(func() { _ = p.listener.Close(); wg.Wait() })
	return p
}

func (p *trickle) forward(to, from net.Conn) {
	defer to.Close() //nolint:errcheck // a test's own
	piece := make([]byte, 97)
	for sent, paused := 0, false; ; {
		n, err := from.Read(piece)
		if err != nil {
			return
		}
		if _, err := to.Write(piece[:n]); err != nil {
			return
		}
		if sent += n; sent > 50_000 && !paused {
			paused = true
			close(p.halfway)
			<-p.goOn
		}
	}
}
