package eventrelay_test

import (
	"context"
	"crypto/tls"
	"os"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/secret"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/relayhost/relayhost/host/eventrelay"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// echo refuses every call with a message that repeats the token.
func echo(ctx context.Context, _ *pb.PullQueuedEventsRequest) (*pb.PullQueuedEventsResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	return nil, status.Errorf(codes.Unauthenticated, "who is %s?", md.Get("authorization"))
}

func TestDialSendsTheTokenAndHidesIt(t *testing.T) {
	a := newAuthority(t)
	var got []string
	server := &events{pull: func(ctx context.Context, r *pb.PullQueuedEventsRequest) (*pb.PullQueuedEventsResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		got = md.Get("authorization")
		return echo(ctx, r)
	}}
	for name, config := range map[string]*tls.Config{"plain": nil, "TLS": a.server(valid())} {
		t.Run(name, func(t *testing.T) {
			o := serve(t, config, server)
			o.Token = secret.New(hidden)
			if config != nil {
				o.CACertFile = a.file
			}
			err := pull(t, o)
			if len(got) != 1 || got[0] != "Bearer "+hidden {
				t.Errorf("the server got %q", got)
			}
			if status.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), "who is [Bearer [redacted]]?") {
				t.Errorf("error = %v", err)
			}
			refuse(t, "error", err.Error()+eventrelay.Explain(err).Error()+eventrelay.Detail(err))
		})
	}
}

func TestDialSendsNoTokenWithoutOne(t *testing.T) {
	o := serve(t, nil, &events{pull: echo})
	if err := pull(t, o); !strings.Contains(err.Error(), "who is []?") {
		t.Errorf("error = %v", err)
	}
}

func TestDialTakesMutualTLS(t *testing.T) {
	a := newAuthority(t)
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			config := a.mutual()
			config.MinVersion, config.MaxVersion = version, version
			o := serve(t, config, &events{})
			o.CACertFile = a.file
			o.CertFile, o.KeyFile = a.issue(valid())
			if err := pull(t, o); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDialRefusesOldTLS(t *testing.T) {
	a := newAuthority(t)
	config := a.server(valid())
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	o := serve(t, config, &events{})
	o.CACertFile = a.file
	if err := pull(t, o); status.Code(err) != codes.Unavailable {
		t.Errorf("error = %v", err)
	}
}

func TestDialReadsARenewedCertificate(t *testing.T) {
	a := newAuthority(t)
	o := serve(t, a.mutual(), &events{})
	o.CACertFile = a.file
	o.CertFile, o.KeyFile = a.issue(expired())
	client := pb.NewEventsClient(dial(t, o))
	if _, err := client.PullQueuedEvents(t.Context(), &pb.PullQueuedEventsRequest{}); err == nil {
		t.Fatal("the server took an expired certificate")
	}

	certFile, keyFile := a.issue(valid())
	replace(t, certFile, o.CertFile)
	replace(t, keyFile, o.KeyFile)
	_, err := client.PullQueuedEvents(t.Context(), &pb.PullQueuedEventsRequest{}, grpc.WaitForReady(true))
	if err != nil {
		t.Errorf("after the renewal: %v", err)
	}
}

func replace(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestDialFaults(t *testing.T) {
	a := newAuthority(t)
	_, otherKey := a.issue(valid())
	for name, test := range map[string]struct {
		set  func(*eventrelay.Options)
		want string
	}{
		"token":         {token("two\nlines"), "line break"},
		"authority":     {ca("missing.pem"), "read cacertfile: "},
		"certificate":   {func(o *eventrelay.Options) { o.CertFile = "missing.pem" }, "read certfile: "},
		"key":           {func(o *eventrelay.Options) { o.KeyFile = "missing.pem" }, "read keyfile: "},
		"another's key": {func(o *eventrelay.Options) { o.KeyFile = otherKey }, "does not match"},
	} {
		t.Run(name, func(t *testing.T) {
			o := good(a)
			test.set(&o)
			conn, err := eventrelay.Dial(o)
			if err == nil {
				_ = conn.Close()
				t.Fatal("no error")
			}
			if !strings.HasPrefix(err.Error(), "dial localhost:50051: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v", err)
			}
		})
	}
}

// The server's answers can be much larger than grpc's own limit of 4 MiB.
func TestDialTakesLargeReplies(t *testing.T) {
	data := strings.Repeat("x", 20<<20)
	o := serve(t, nil, &events{pull: func(context.Context, *pb.PullQueuedEventsRequest) (*pb.PullQueuedEventsResponse, error) {
		return &pb.PullQueuedEventsResponse{Events: []*pb.Event{{Data: data}}}, nil
	}})
	if err := pull(t, o); err != nil {
		t.Error(err)
	}
}
