package devserver_test

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	rpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/relayhost/relayhost/host/devserver"
	"github.com/relayhost/relayhost/host/devserver/pki"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

func TestPortInUse(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	_, err := devserver.New(devserver.Options{Listen: b.Addr().String(), DataDir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), b.Addr().String()) || !strings.Contains(err.Error(), "\nhint: ") {
		t.Errorf("got %v", err)
	}
}

func TestCloseWithoutRun(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // the first must have let the directory go
		s, err := devserver.New(devserver.Options{DataDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := s.Run(t.Context()); err != nil {
			t.Errorf("Run after Close: %v", err)
		}
		if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
			t.Error("it still listens")
		}
	}
}

func TestCloseStopsRun(t *testing.T) {
	s, err := devserver.New(devserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(context.Background()) }()
	conn := dial(t, s.Addr().String(), insecure.NewCredentials())
	if _, err := pb.NewTopicsClient(conn).ListTopics(withToken(t, s.AdminToken()), &pb.ListTopicsRequest{}); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestReflection(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	stream, err := rpb.NewServerReflectionClient(b.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(r *rpb.ServerReflectionRequest) *rpb.ServerReflectionResponse {
		t.Helper()
		if err := stream.Send(r); err != nil {
			t.Fatal(err)
		}
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	list := ask(&rpb.ServerReflectionRequest{MessageRequest: &rpb.ServerReflectionRequest_ListServices{}})
	var services []string
	for _, s := range list.GetListServicesResponse().GetService() {
		services = append(services, s.GetName())
	}
	for _, want := range []string{"ApiKeys", "Destinations", "Events", "JWT", "Metrics", "Topics"} {
		if !slices.Contains(services, "eventrelay."+want) {
			t.Errorf("%s is not among %q", want, services)
		}
	}
	files := ask(&rpb.ServerReflectionRequest{MessageRequest: &rpb.ServerReflectionRequest_FileContainingSymbol{
		FileContainingSymbol: "eventrelay.Events.PullQueuedEvents",
	}})
	file := new(descriptorpb.FileDescriptorProto)
	if err := proto.Unmarshal(files.GetFileDescriptorResponse().GetFileDescriptorProto()[0], file); err != nil {
		t.Fatal(err)
	}
	if file.GetPackage() != "eventrelay" {
		t.Errorf("got package %q", file.GetPackage())
	}
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
}

func TestMutualTLS(t *testing.T) {
	set, other := newSet(t), newSet(t)
	serverTLS, err := set.ServerTLS()
	if err != nil {
		t.Fatal(err)
	}
	s, _ := start(t, devserver.Options{TLS: serverTLS})
	_, port, _ := net.SplitHostPort(s.Addr().String())
	good, err := set.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	bare := good.Clone()
	bare.Certificates = nil
	stranger := good.Clone()
	stranger.Certificates = foreign.Certificates
	old := good.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
	tls12 := good.Clone()
	tls12.MaxVersion = tls.VersionTLS12
	for _, c := range []struct {
		name  string
		creds credentials.TransportCredentials
		token string
		code  codes.Code
		says  string
	}{
		{"with a certificate", credentials.NewTLS(good), s.AdminToken(), codes.OK, ""},
		{"with TLS 1.2", credentials.NewTLS(tls12), s.AdminToken(), codes.OK, ""},
		{"without a token", credentials.NewTLS(good), "", codes.Unauthenticated, "could not find bearer token"},
		{"without a certificate", credentials.NewTLS(bare), s.AdminToken(), codes.Unavailable, ""},
		{"with a stranger's certificate", credentials.NewTLS(stranger), s.AdminToken(), codes.Unavailable, ""},
		{"trusting another authority", credentials.NewTLS(foreign), s.AdminToken(), codes.Unavailable, "unknown authority"},
		{"with TLS 1.1", credentials.NewTLS(old), s.AdminToken(), codes.Unavailable, ""},
		{"without TLS", insecure.NewCredentials(), s.AdminToken(), codes.Unavailable, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := t.Context()
			if c.token != "" {
				ctx = withToken(t, c.token)
			}
			conn := dial(t, net.JoinHostPort("localhost", port), c.creds)
			_, err := pb.NewTopicsClient(conn).ListTopics(ctx, &pb.ListTopicsRequest{})
			wantStatus(t, err, c.code, "")
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
		})
	}
}

// TestNoClientCertificate is apart from the table because gRPC, which writes at
// once, may see the connection break before it reads why.
func TestNoClientCertificate(t *testing.T) {
	set := newSet(t)
	serverTLS, err := set.ServerTLS()
	if err != nil {
		t.Fatal(err)
	}
	s, _ := start(t, devserver.Options{TLS: serverTLS})
	bare, err := set.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	bare.Certificates, bare.NextProtos = nil, []string{"h2"}
	conn, err := tls.Dial("tcp", s.Addr().String(), bare)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("got %v", err)
	}
}

func newSet(t *testing.T) *pki.Set {
	t.Helper()
	set, err := pki.New(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return set
}
