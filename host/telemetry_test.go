package host_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/telemetry"
	"github.com/relayhost/relayhost/plugins"
)

// observed runs the site's pipeline with metrics at a free port.
func (s *site) observed(o host.Options) *running {
	s.t.Helper()
	r := &running{log: newBuffer()}
	o.Logger, o.MetricsListen = slog.New(slog.NewTextHandler(r.log, nil)), "127.0.0.1:0"
	var err error
	r.Host, err = host.New(s.t.Context(), s.config(batches), o)
	must(s.t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	s.t.Cleanup(func() { _ = r.stop() })
	return r
}

// ask gets a path from the metrics' address.
func (r *running) ask(t *testing.T, path string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(fmt.Sprintf("http://%s%s", r.MetricsAddr(), path))
	must(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(t, err)
	return fmt.Sprintf("%d %s", response.StatusCode, text)
}

// awaitAnswer asks until the answer is, or has, what is looked for.
func (r *running) awaitAnswer(t *testing.T, path, want string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	for {
		got := r.ask(t, path)
		if strings.Contains(got, want) {
			return
		}
		select {
		case <-tick.C:
		case <-patience.C:
			t.Fatalf("waited a minute for %q at %s; got %s", want, path, got)
		}
	}
}

// A host tells what its pipelines do and, while it drains, that it is not ready.
func TestMetrics(t *testing.T) {
	s := newSite(t)
	out := &door{open: make(chan struct{})}
	open := sync.OnceFunc(func() { close(out.open) })
	t.Cleanup(open)
	r := s.observed(host.Options{Stdout: out})
	r.awaitAnswer(t, "/readyz", "200 ok\n")
	s.publish(person("a"), person("b"), `{"person": {}}`)
	r.awaitAnswer(t, "/metrics", `relayhost_messages_settled_total{kind="handler",pipeline="users"} 1`)
	r.awaitAnswer(t, "/metrics", `relayhost_messages_in_flight{pipeline="users"} 2`)

	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	r.awaitAnswer(t, "/readyz", "503 pipeline \"users\": draining\n")
	text, digest := r.ask(t, "/metrics"), plugin.Digest(plugins.Upcase)[:12]
	for _, want := range []string{
		`relayhost_messages_received_total{pipeline="users"} 3`,
		`relayhost_messages_in_flight_limit{pipeline="users"} 10000`,
		`relayhost_processor_messages_total{kind="ok",pipeline="users",plugin="` + digest + `"} 2`,
		`relayhost_plugin_info{pipeline="users",plugin="` + digest + `",state="live"} 1`,
		`relayhost_pipeline_ready{pipeline="users"} 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	for _, secret := range []string{s.consumer, s.destination, "first_name"} {
		if strings.Contains(text, secret) {
			t.Errorf("/metrics shows %q", secret)
		}
	}
	open()
	must(t, <-stopped)
	if b := r.Books()["users"]; b.SettledOK() != 2 {
		t.Errorf("the books: %+v", b)
	}
}

// door is a writer behind a door.
type door struct{ open chan struct{} }

func (d *door) Write(p []byte) (int, error) {
	<-d.open
	return len(p), nil
}

// An address that is taken is found before anything is pulled, and New gives
// back all that it took.
func TestMetricsAddressTaken(t *testing.T) {
	s := newSite(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	_, err = host.New(t.Context(), s.config(batches), host.Options{MetricsListen: taken.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "listen for metrics on") || !strings.Contains(err.Error(), "\nhint: ") {
		t.Errorf("new: %v", err)
	}
}

// A host that is made and not run gives its address back.
func TestMetricsNotRun(t *testing.T) {
	s := newSite(t)
	h, err := host.New(t.Context(), s.config(batches), host.Options{MetricsListen: "127.0.0.1:0"})
	must(t, err)
	address := h.MetricsAddr().String()
	must(t, h.Close(t.Context()))
	again, err := net.Listen("tcp", address)
	must(t, err)
	must(t, again.Close())
}

// handled counts messages beside the metrics.
type handled struct {
	*telemetry.Observer
	messages atomic.Int64
}

func (o *handled) MessageHandled(i int, m *message.Message, outcome message.Outcome, took time.Duration) {
	o.messages.Add(1)
	o.Observer.MessageHandled(i, m, outcome, took)
}

// Who embeds the host may observe its pipelines.
func TestOwnObserver(t *testing.T) {
	s := newSite(t)
	own := &handled{Observer: telemetry.New().Observer("users", "default")}
	out := newBuffer()
	r := s.observed(host.Options{Stdout: out, Observer: func(name string) pipeline.Observer {
		if name != "users" {
			t.Errorf("asked for an observer of %q", name)
		}
		return own
	}})
	s.publish(person("ada"))
	out.await(t, `"ADA"`, 1)
	must(t, r.stop())
	if n := own.messages.Load(); n != 1 {
		t.Errorf("observed %d messages", n)
	}
}
