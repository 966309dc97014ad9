package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/telemetry"
)

func TestReadiness(t *testing.T) {
	room := telemetry.State{MaxInFlight: 10_000, MaxBytes: 1 << 20}
	for _, c := range []struct {
		name    string
		change  func(*telemetry.State)
		reasons []string
	}{
		{"at work", func(s *telemetry.State) { s.InFlight, s.Bytes = 9_999, 1<<20-1 }, nil},
		{"draining", func(s *telemetry.State) { s.Phase = "draining" }, []string{"draining"}},
		{"full", func(s *telemetry.State) { s.InFlight = 10_000 },
			[]string{"intake stopped: 10,000 messages in flight of at most 10,000"}},
		{"full of bytes", func(s *telemetry.State) { s.Bytes = 1<<20 + 5 },
			[]string{"intake stopped: 1,048,581 bytes in flight of at most 1,048,576"}},
		{"halted", func(s *telemetry.State) { s.HaltedPartitions, s.HaltedMessages = 2, 7 },
			[]string{"partitions halted: 2, with 7 messages"}},
		{"all at once", func(s *telemetry.State) {
			s.Phase, s.InFlight, s.HaltedPartitions = "ended", 10_000, 1
		}, []string{
			"ended", "intake stopped: 10,000 messages in flight of at most 10,000", "partitions halted: 1, with 0 messages",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			state := room
			c.change(&state)
			metrics := telemetry.New()
			metrics.Watch("well", func() telemetry.State { return room })
			metrics.Watch("users", func() telemetry.State { return state })
			wantStatus, want := http.StatusOK, "ok\n"
			if len(c.reasons) > 0 {
				wantStatus, want = http.StatusServiceUnavailable, ""
			}
			for _, reason := range c.reasons {
				want += fmt.Sprintf("pipeline %q: %s\n", "users", reason)
			}
			s := serve(t, metrics)
			if status, body := s.get("/readyz"); status != wantStatus || body != want {
				t.Errorf("/readyz answered %d %q, want %d %q", status, body, wantStatus, want)
			}
			if got := s.scrape().sum("pipeline_ready", "pipeline=users") == 1; got != (len(c.reasons) == 0) {
				t.Errorf("the metric says that ready is %v", got)
			}
			if status, body := s.get("/livez"); status != http.StatusOK || body != "ok\n" {
				t.Errorf("/livez answered %d %q", status, body)
			}
		})
	}
}

// A name that is watched again has one state, the last.
func TestWatchedAgain(t *testing.T) {
	metrics := telemetry.New()
	for n := range int64(2) {
		metrics.Watch("users", func() telemetry.State { return telemetry.State{Received: 5 + n} })
	}
	if got := serve(t, metrics).scrape().sum("messages_received_total"); got != 6 {
		t.Errorf("received %d, want 6", got)
	}
}

func TestOtherRequests(t *testing.T) {
	s := serve(t, telemetry.New())
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{http.MethodGet, "/", http.StatusNotFound},
		{http.MethodGet, "/debug/pprof/", http.StatusNotFound},
		{http.MethodPost, "/metrics", http.StatusMethodNotAllowed},
		{http.MethodHead, "/readyz", http.StatusOK},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, s.url+c.path, nil)
		must(t, err)
		response, err := http.DefaultClient.Do(request)
		must(t, err)
		response.Body.Close()
		if response.StatusCode != c.status {
			t.Errorf("%s %s answered %d, want %d", c.method, c.path, response.StatusCode, c.status)
		}
	}
}

func TestListenRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	for _, c := range []struct{ address, want string }{
		{taken.Addr().String(), "hint: another process listens there"},
		{":0", "hint: give one: 127.0.0.1"},
		{"", "hint: it should look like"},
		{"127.0.0.1", "hint: it should look like"},
		{"127.0.0.1:70000", "hint: it should look like"},
		{"192.0.2.1:0", "hint: this machine does not have that address"},
	} {
		server, err := telemetry.New().Listen(c.address)
		if err == nil {
			_ = server.Close()
			t.Errorf("%q was listened on", c.address)
			continue
		}
		if start := fmt.Sprintf("listen for metrics on %q: ", c.address); !strings.HasPrefix(err.Error(), start) {
			t.Errorf("%q is not where and what", err)
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q lacks %q", err, c.want)
		}
	}
}

// A server whose listener is taken away says so.
func TestServerThatCannotGoOn(t *testing.T) {
	server, err := telemetry.New().Listen("127.0.0.1:0")
	must(t, err)
	must(t, server.Close())
	if err := server.Run(context.WithoutCancel(t.Context())); err == nil || !strings.Contains(err.Error(), "serve metrics") {
		t.Errorf("run: %v", err)
	}
}

// Once Run has returned, the address is free.
func TestStops(t *testing.T) {
	s := serve(t, telemetry.New())
	s.scrape()
	s.stop()
	again, err := telemetry.New().Listen(strings.TrimPrefix(s.url, "http://"))
	must(t, err)
	must(t, again.Close())
}

// A journal that takes nothing is a reason, on one line.
func TestJournalIsAReason(t *testing.T) {
	metrics := telemetry.New()
	err := error(nil)
	metrics.WatchJournal(func() telemetry.Journal { return telemetry.Journal{Bytes: 5, MaxBytes: 10, Err: err} })
	s := serve(t, metrics)
	if f := s.scrape(); f.sum("journal_ready") != 1 || f.sum("journal_bytes") != 5 || f.sum("journal_limit_bytes") != 10 {
		t.Error("a journal that works is not shown as it is")
	}
	if status, text := s.get("/readyz"); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	err = errors.New("no space left on device\nhint: make room")
	if status, text := s.get("/readyz"); status != http.StatusServiceUnavailable || text != "journal: no space left on device; hint: make room\n" {
		t.Errorf("%d %q", status, text)
	}
	if s.scrape().sum("journal_ready") != 0 {
		t.Error("the journal is shown as ready")
	}
}
