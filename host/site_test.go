package host_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/secret"

	"google.golang.org/grpc"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/devserver"
	"github.com/relayhost/relayhost/host/devserver/pki"
	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/plugins"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// site is a real EventRelay-compatible server with mutual TLS, and a folder
// with all that a host needs to reach it.
type site struct {
	t           *testing.T
	dir         string
	certs       pki.Files
	options     devserver.Options
	destination string
	consumer    string
	producer    string
	port        int
	server      *devserver.Server
	stop        func()
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	set, err := pki.New(time.Hour)
	must(t, err)
	s.certs, err = set.Write(s.dir)
	must(t, err)
	s.options = devserver.Options{DataDir: filepath.Join(s.dir, "data")}
	s.options.TLS, err = set.ServerTLS()
	must(t, err)
	must(t, os.WriteFile(filepath.Join(s.dir, "upcase.wasm"), plugins.Upcase, 0o600))
	server := s.start()
	must(t, server.CreateTopic("users"))
	s.destination, err = server.CreateDestination(devserver.Destination{Name: "host", Topic: "users"})
	must(t, err)
	s.consumer, err = server.CreateConsumerKey(s.destination)
	must(t, err)
	s.producer, err = server.CreateProducerKey("users")
	must(t, err)
	return s
}

// start runs the server, on the port that it had before if it ran before.
func (s *site) start() *devserver.Server {
	s.t.Helper()
	if s.port != 0 {
		s.options.Listen = fmt.Sprint("127.0.0.1:", s.port)
	}
	server, err := devserver.New(s.options)
	must(s.t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		must(s.t, <-done)
	})
	s.t.Cleanup(s.stop)
	s.port, s.server = server.Addr().(*net.TCPAddr).Port, server
	return server
}

func (s *site) dial(token string) *grpc.ClientConn {
	s.t.Helper()
	conn, err := eventrelay.Dial(eventrelay.Options{
		Host: "localhost", Port: s.port, Token: secret.New(token),
		CACertFile: s.certs.CACert, CertFile: s.certs.ClientCert, KeyFile: s.certs.ClientKey,
	})
	must(s.t, err)
	s.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// publish publishes one event for each data.
func (s *site) publish(data ...string) []string {
	s.t.Helper()
	events := make([]*pb.NewEvent, len(data))
	for i, d := range data {
		events[i] = &pb.NewEvent{Name: "user.created", Source: "MyApp", Data: d}
	}
	published, err := eventrelay.Publish(s.t.Context(), s.dial(s.producer), "users", events, true)
	must(s.t, err)
	ids := make([]string, len(published))
	for i, e := range published {
		ids[i] = e.GetId()
	}
	return ids
}

// config is the site's pipeline, with more lines at its end.
func (s *site) config(more string) *config.Config {
	s.t.Helper()
	text := fmt.Sprintf(`[[pipeline]]
name = "users"
shutdown = "20s"
[pipeline.producer]
type = "eventrelay"
destination_id = %q
port = %d
token = %q
cacertfile = "ca.pem"
certfile = "client.pem"
keyfile = "client-key.pem"
pull_interval = "50ms"
[pipeline.plugin]
module = "upcase.wasm"
%s
`, s.destination, s.port, s.consumer, more)
	c, err := config.Parse(filepath.Join(s.dir, "relayhost.toml"), []byte(text))
	must(s.t, err)
	c.CacheDir = cacheDir
	return c
}

// running is a host in a goroutine of its own.
type running struct {
	*host.Host
	out, log *buffer
	stop     func() error
}

func (s *site) run(c *config.Config) *running {
	s.t.Helper()
	r := &running{out: newBuffer(), log: newBuffer()}
	var err error
	r.Host, err = host.New(s.t.Context(), c, host.Options{Stdout: r.out, Logger: slog.New(slog.NewTextHandler(r.log, nil))})
	must(s.t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	s.t.Cleanup(func() { _ = r.stop() })
	return r
}

// buffer is a writer whose text can be waited for.
type buffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newBuffer() *buffer { return &buffer{changed: make(chan struct{}, 1)} }

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.changed <- struct{}{}:
	default:
	}
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// await waits until the text has n times what is looked for.
func (b *buffer) await(t *testing.T, text string, n int) {
	t.Helper()
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	for {
		if got := strings.Count(b.String(), text); got >= n {
			return
		}
		select {
		case <-b.changed:
		case <-patience.C:
			t.Fatalf("waited a minute for %d times %q; got %.2000s", n, text, b.String())
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
