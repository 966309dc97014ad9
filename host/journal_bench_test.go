package host_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/devserver"
	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/host/secret"
	"github.com/relayhost/relayhost/plugins"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// BenchmarkJournal runs the same events from the embedded server, in this
// process, through upcase without and with a journal, in turns, and tells the
// ratio of their throughputs: of the medians, and of the quickest.
func BenchmarkJournal(b *testing.B) {
	y := newYard(b, 50_000)
	variants := []string{"enabled = false", `fsync = "always"`, `fsync = "interval"`, `fsync = "off"`}
	times := make([][]float64, len(variants))
	for b.Loop() {
		for i, v := range variants {
			times[i] = append(times[i], y.run(v).Seconds())
		}
	}
	for i, name := range []string{"off", "always", "interval", "no_fsync"} {
		slices.Sort(times[i])
		b.ReportMetric(float64(y.events)/times[i][len(times[i])/2], name+"_events/s")
		if i > 0 {
			b.ReportMetric(times[0][len(times[0])/2]/times[i][len(times[i])/2], name+"/none")
			b.ReportMetric(times[0][0]/times[i][0], name+"/none_best")
		}
	}
	b.ReportMetric(0, "ns/op")
}

// yard is a server with a log of events, each run of which has a queue of its
// own.
type yard struct {
	b      *testing.B
	dir    string
	server *devserver.Server
	events int
	runs   int
}

func newYard(b *testing.B, events int) *yard {
	b.Helper()
	server, err := devserver.New(devserver.Options{AuthOff: true})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	y := &yard{b: b, dir: b.TempDir(), server: server, events: events}
	y.check(server.CreateTopic("users"))
	conn, err := eventrelay.Dial(eventrelay.Options{Host: "127.0.0.1", Port: y.port(), Token: secret.New("unused")})
	y.check(err)
	defer conn.Close()
	page := make([]*pb.NewEvent, 1000)
	for i := range page {
		page[i] = &pb.NewEvent{Name: "user.created", Source: "bench", Data: person(fmt.Sprintf("name %d", i))}
	}
	for range events / len(page) {
		_, err := eventrelay.Publish(b.Context(), conn, "users", page, true)
		y.check(err)
	}
	y.check(os.WriteFile(filepath.Join(y.dir, "upcase.wasm"), plugins.Upcase, 0o600))
	return y
}

func (y *yard) check(err error) {
	y.b.Helper()
	if err != nil {
		y.b.Fatal(err)
	}
}

func (y *yard) port() int { return y.server.Addr().(*net.TCPAddr).Port }

// run is how long a host took for all events.
func (y *yard) run(journal string) time.Duration {
	y.runs++
	queue, err := y.server.CreateDestination(devserver.Destination{Name: fmt.Sprint("queue", y.runs), Topic: "users"})
	y.check(err)
	c, err := config.Parse(filepath.Join(y.dir, "relayhost.toml"), fmt.Appendf(nil, `
[journal]
dir = "journal-%d"
%s
[[pipeline]]
name = "users"
[pipeline.producer]
destination_id = %q
host = "127.0.0.1"
port = %d
token = "unused"
pull_interval = "10ms"
[pipeline.plugin]
module = "upcase.wasm"
[pipeline.processors.default]
max_demand = 1000
[pipeline.batchers.default]
batch_size = 100
`, y.runs, journal, queue, y.port()))
	y.check(err)
	c.CacheDir = cacheDir
	h, err := host.New(y.b.Context(), c, host.Options{})
	y.check(err)
	ctx, cancel := context.WithCancel(y.b.Context())
	defer cancel()
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- h.Run(ctx) }()
	for h.Books()["users"].SettledTotal() < int64(y.events) {
		time.Sleep(time.Millisecond)
	}
	took := time.Since(began)
	cancel()
	y.check(<-done)
	y.check(os.RemoveAll(filepath.Join(y.dir, fmt.Sprint("journal-", y.runs))))
	return took
}
