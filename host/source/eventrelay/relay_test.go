package eventrelay_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/secret"

	source "github.com/relayhost/relayhost/host/source/eventrelay"

	"github.com/relayhost/relayhost/host/devserver"
	"github.com/relayhost/relayhost/host/devserver/pki"
	"github.com/relayhost/relayhost/host/eventrelay"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// relay is an embedded server, with one topic, users, and one destination, that
// can be stopped and started again at the same address with the same data.
type relay struct {
	t           testing.TB
	options     devserver.Options
	certificate pki.Files
	server      *devserver.Server
	stop        func()
	port        int

	destination, admin, consumer string
}

// newRelay starts a server that wants mutual TLS and a token.
func newRelay(t testing.TB) *relay {
	t.Helper()
	r := &relay{t: t, options: devserver.Options{DataDir: t.TempDir()}}
	r.certify(time.Hour)
	r.start()
	check(t, r.server.CreateTopic("users"))
	var err error
	r.destination, err = r.server.CreateDestination(devserver.Destination{Name: "all users", Topic: "users"})
	check(t, err)
	r.consumer, err = r.server.CreateConsumerKey(r.destination)
	check(t, err)
	r.admin = r.server.AdminToken()
	t.Cleanup(func() { r.stop() })
	return r
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// certify gives the server and its clients new certificates, which the server
// uses from its next start on.
func (r *relay) certify(validity time.Duration) {
	r.t.Helper()
	set, err := pki.New(validity)
	check(r.t, err)
	r.certificate, err = set.Write(filepath.Join(r.t.TempDir(), "pki"))
	check(r.t, err)
	r.options.TLS, err = set.ServerTLS()
	check(r.t, err)
}

func (r *relay) start() {
	r.t.Helper()
	server, err := devserver.New(r.options)
	check(r.t, err)
	r.options.Listen = server.Addr().String()
	r.port = server.Addr().(*net.TCPAddr).Port
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	r.server = server
	r.stop = func() {
		r.stop = func() {}
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	}
}

// reach is how a consumer reaches the server.
func (r *relay) reach() eventrelay.Options {
	return eventrelay.Options{
		Host: "localhost", Port: r.port, Token: secret.New(r.consumer),
		CertFile: r.certificate.ClientCert, KeyFile: r.certificate.ClientKey, CACertFile: r.certificate.CACert,
	}
}

// publish stores n events and returns them.
func (r *relay) publish(n int) []*pb.Event {
	r.t.Helper()
	o := r.reach()
	o.Token = secret.New(r.admin)
	conn, err := eventrelay.Dial(o)
	check(r.t, err)
	defer conn.Close() //nolint:errcheck // a test's own
	events := make([]*pb.NewEvent, n)
	for i := range events {
		events[i] = &pb.NewEvent{
			Name: "user.created", Source: "test", Data: fmt.Sprintf(`{"n":%d}`, i),
			Context: map[string]string{"ip_address": "127.0.0.1"},
		}
	}
	published, err := eventrelay.Publish(r.t.Context(), conn, "users", events, true)
	check(r.t, err)
	return published
}

// open makes a source over a connection of its own. When the test ends, the log
// must not show the token.
func open(t testing.TB, o eventrelay.Options, destination string, log *logbook) *source.Source {
	t.Helper()
	conn, err := eventrelay.Dial(o)
	check(t, err)
	t.Cleanup(func() {
		_ = conn.Close()
		log.refuse(o.Token.Reveal())
	})
	return source.New(conn, source.Options{DestinationID: destination, Logger: log.logger()})
}
