package eventrelay_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/relayhost/relayhost/host/eventrelay"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

func TestDiagnoseTheNetwork(t *testing.T) {
	closed := listener(t)
	_ = closed.Close()
	for name, test := range map[string]struct {
		o    eventrelay.Options
		want string
	}{
		"refused":         {reach(closed), "nothing listens"},
		"unresolved":      {eventrelay.Options{Host: "no..name", Port: 1}, "cannot be resolved"},
		"another service": {listen(t, nil, func(*grpc.Server) {}), "does not have this call"},
		"HTTP/1":          {web(t, nil, http.NotFound), "before it said anything"},
		"HTTP 500":        {web(t, h2c(), fail("text/plain")), "does not speak gRPC"},
		"HTTP 500, bare":  {web(t, h2c(), fail("")), "does not speak gRPC"},
		"HTTP 503":        {web(t, h2c(), unavailable), "a proxy or gateway"},
		"hangs up":        {hangUp(t), "connection"},
	} {
		t.Run(name, func(t *testing.T) { diagnosed(t, pull(t, test.o), test.want) })
	}
}

// diagnosed wants a cause, and the form of every explanation.
func diagnosed(t *testing.T, err error, want string) {
	t.Helper()
	d := eventrelay.Diagnose(err)
	if err == nil || !strings.Contains(d.Cause, want) {
		t.Fatalf("cause of %v = %q, want %q in it", err, d.Cause, want)
	}
	explained := eventrelay.Explain(err)
	text := explained.Error()
	if !errors.Is(explained, err) || !strings.HasPrefix(text, d.Cause+" (") || !strings.HasSuffix(text, d.Hint) {
		t.Errorf("explanation = %q", text)
	}
}

func TestDiagnoseTLS(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	named, nameless := valid(), valid()
	named.DNSNames, nameless.DNSNames = []string{"relay.example"}, nil
	mutual12 := a.mutual()
	mutual12.MaxVersion = tls.VersionTLS12
	trust := func(o *eventrelay.Options) { o.CACertFile = a.file }
	client := func(by *authority, old bool) func(*eventrelay.Options) {
		return func(o *eventrelay.Options) {
			trust(o)
			if o.CertFile, o.KeyFile = by.issue(valid()); old {
				o.CertFile, o.KeyFile = by.issue(expired())
			}
		}
	}
	for name, test := range map[string]struct {
		server *tls.Config
		set    func(*eventrelay.Options)
		want   string
	}{
		"unknown authority":     {a.server(valid()), ca(other.file), "signed by an authority that cacertfile does not hold"},
		"system's authorities":  {a.server(valid()), func(o *eventrelay.Options) { o.TLS = true }, "the server's certificate is"},
		"expired":               {a.server(expired()), trust, "the server's certificate has expired"},
		"not yet valid":         {a.server(future()), trust, "not yet valid"},
		"address":               {a.server(valid()), func(o *eventrelay.Options) { trust(o); o.Host = "127.0.0.1" }, "host is an IP address"},
		"another name":          {a.server(named), trust, "for another name"},
		"no name":               {a.server(nameless), trust, "for no name"},
		"no client certificate": {a.mutual(), trust, "wants a client certificate"},
		"none, TLS 1.2":         {mutual12, trust, "it wants a client certificate"},
		"expired client":        {a.mutual(), client(a, true), "client certificate has expired"},
		"unknown client":        {a.mutual(), client(other, false), "does not know the authority"},
		"plain server":          {nil, trust, "does not speak TLS"},
		"plain client":          {a.server(valid()), func(*eventrelay.Options) {}, "before it said anything"},
	} {
		t.Run(name, func(t *testing.T) {
			o := serve(t, test.server, &events{})
			test.set(&o)
			diagnosed(t, pull(t, o), test.want)
		})
	}
}

func TestDiagnoseTLSWithoutHTTP2(t *testing.T) {
	a := newAuthority(t)
	server := &http.Server{TLSConfig: a.server(valid()), ErrorLog: log.New(io.Discard, "", 0), TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	o := web(t, server, http.NotFound)
	o.CACertFile = a.file
	diagnosed(t, pull(t, o), "TLS")
}

func TestDiagnoseAnswers(t *testing.T) {
	for _, test := range []struct {
		code    codes.Code
		message string
		want    string
	}{
		{codes.Unauthenticated, "Invalid credentials: could not find bearer token", "got none"},
		{codes.Unauthenticated, "Invalid credentials: could not decode bearer token", "malformed"},
		{codes.Unauthenticated, "Invalid credentials", "unknown to the server, or revoked"},
		{codes.PermissionDenied, "Not permitted", "wrong type"},
		{codes.PermissionDenied, "ApiKey with id=1 is not associated with topic_name=t via a destination", "not attached"},
		{codes.Unknown, "Internal Server Error", "failed inside"},
		{codes.Unknown, "what?", "failed with Unknown"},
		{codes.ResourceExhausted, "Rate limit exceeded for x at 1 requests per 1 second(s)", "rate limit"},
		{codes.ResourceExhausted, "", "too much to do"},
		{codes.InvalidArgument, "A topic must be provided to publish_events", "invalid"},
		{codes.Unavailable, "later", "connection to the server broke"},
		{codes.Internal, "", "broke off its answer"},
		{codes.Canceled, "", "cancelled"},
		{codes.DataLoss, "", "failed with DataLoss"},
	} {
		t.Run(test.code.String()+" "+test.message, func(t *testing.T) {
			o := serve(t, nil, &events{pull: func(context.Context, *pb.PullQueuedEventsRequest) (*pb.PullQueuedEventsResponse, error) {
				return nil, status.Error(test.code, test.message)
			}})
			diagnosed(t, pull(t, o), test.want)
		})
	}
}

func TestDiagnoseATooLargeRequest(t *testing.T) {
	o := serve(t, nil, &events{})
	_, err := pb.NewEventsClient(dial(t, o)).PullQueuedEvents(t.Context(),
		&pb.PullQueuedEventsRequest{DestinationId: strings.Repeat("x", 5<<20)})
	diagnosed(t, err, "larger than the receiver takes")
}

func TestDiagnoseAStallingServer(t *testing.T) {
	o := serve(t, nil, &events{pull: func(ctx context.Context, _ *pb.PullQueuedEventsRequest) (*pb.PullQueuedEventsResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := pb.NewEventsClient(dial(t, o)).PullQueuedEvents(ctx, &pb.PullQueuedEventsRequest{})
	diagnosed(t, err, "did not answer in time")
}

func TestDiagnoseAServerThatDiesInACall(t *testing.T) {
	called := make(chan struct{})
	server := grpc.NewServer()
	pb.RegisterEventsServer(server, &events{pull: func(ctx context.Context, _ *pb.PullQueuedEventsRequest) (*pb.PullQueuedEventsResponse, error) {
		close(called)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	l := listener(t)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	go func() { <-called; server.Stop() }()
	err := pull(t, reach(l))
	diagnosed(t, err, "the connection to the server broke")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestDetailIsTame(t *testing.T) {
	got := eventrelay.Detail(status.Error(codes.Unknown, "\x1b[31mred\nline\xff"+strings.Repeat("x", 1000)))
	if len(got) > 400 || strings.ContainsAny(got, "\x1b\n") || !utf8.ValidString(got) || !strings.HasPrefix(got, "Unknown:  [31mred line") {
		t.Errorf("Detail = %q", got)
	}
}

func TestDiagnoseNothing(t *testing.T) {
	if d := eventrelay.Diagnose(nil); d != (eventrelay.Diagnosis{}) {
		t.Errorf("Diagnose(nil) = %v", d)
	}
	if err := eventrelay.Explain(nil); err != nil {
		t.Errorf("Explain(nil) = %v", err)
	}
}

// web serves a handler that knows nothing of gRPC.
func web(t *testing.T, server *http.Server, handler http.HandlerFunc) eventrelay.Options {
	t.Helper()
	if server == nil {
		server = &http.Server{}
	}
	server.Handler = handler
	l := listener(t)
	done := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			done <- server.ServeTLS(l, "", "")
			return
		}
		done <- server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return reach(l)
}

func h2c() *http.Server {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{Protocols: &protocols}
}

func fail(contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if w.Header()["Content-Type"] = nil; contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func unavailable(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusServiceUnavailable)
}

// hangUp accepts connections and closes them.
func hangUp(t *testing.T) eventrelay.Options {
	t.Helper()
	l := listener(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				_ = conn.Close()
			}
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return reach(l)
}
