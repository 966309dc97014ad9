package host_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/host/plugin"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// behaviour is how a version of the wilful plugin behaves; testdata/wilful.wat
// says what each part does.
type behaviour struct {
	fails, traps     byte // of a hundred
	configure, start byte
	loops            uint32
}

// wilful is version n of the wilful plugin.
func wilful(t testing.TB, n int, b behaviour) []byte {
	t.Helper()
	file, err := os.ReadFile("testdata/wilful.wasm")
	if err != nil {
		t.Fatal(err)
	}
	how := make([]byte, len("wilful behaviour"))
	copy(how, []byte{b.fails, b.traps, b.configure, b.start})
	binary.LittleEndian.PutUint32(how[4:], b.loops)
	file = replaced(t, file, "wilful behaviour", how)
	return replaced(t, file, "v0000000", fmt.Appendf(nil, "v%07d", n))
}

func replaced(t testing.TB, file []byte, from string, to []byte) []byte {
	t.Helper()
	if bytes.Count(file, []byte(from)) != 1 {
		t.Fatalf("the module has not one %q", from)
	}
	return bytes.Replace(file, []byte(from), to, 1)
}

// put replaces a file in one step, as a careful tool does.
func put(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// again has a second pipeline in the configuration, or no other if more is empty.
func (w *works) again(more string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rest = ""; more != "" {
		w.rest = w.toml("again", "again.wasm", more)
	}
}

// users is how many keys the events have.
const users = 50

// works is a site with a wilful plugin, and a host that can be told what to do.
type works struct {
	*site
	*running
	client *control.Client
	module string
	conn   *grpc.ClientConn
	next   int    // the number of the next event
	past   string // what came out in earlier runs

	mu   sync.Mutex
	text string // of the configuration, behind the pipeline's plugin
	top  string // of the pipeline, before its tables
	rest string // behind the pipeline
}

// worksBatches has one record for a few events, so that nothing waits long.
const worksBatches = `[pipeline.batchers.default]
batch_size = 20
batch_timeout = "10ms"
concurrency = 2
`

// newWorks has version 1, good, live.
func newWorks(t *testing.T, more string) *works {
	t.Helper()
	w := prepareWorks(t, more)
	w.up()
	return w
}

// prepareWorks has no host yet.
func prepareWorks(t *testing.T, more string) *works {
	t.Helper()
	w := &works{site: newSite(t)}
	w.configure(more)
	w.module = filepath.Join(w.dir, "upcase.wasm")
	w.conn = w.dial(w.producer)
	put(t, w.module, wilful(t, 1, behaviour{}))
	return w
}

// up begins a run of the host.
func (w *works) up() {
	w.t.Helper()
	must(w.t, w.tryUp())
}

func (w *works) tryUp() error {
	w.t.Helper()
	c := w.load()
	r := &running{out: newBuffer(), log: newBuffer()}
	var err error
	r.Host, err = host.New(w.t.Context(), c, host.Options{
		Stdout: r.out, Logger: slog.New(slog.NewTextHandler(r.log, nil)), MetricsListen: "127.0.0.1:0",
		Load: func() (*config.Config, error) { return w.parse() },
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	w.t.Cleanup(func() { _ = r.stop() })
	if w.running != nil {
		w.past += w.out.String()
	}
	w.running = r
	w.client, err = control.Dial(host.ControlSocket(c))
	must(w.t, err)
	return nil
}

// down ends the run in order.
func (w *works) down() {
	w.t.Helper()
	must(w.t, w.running.stop())
}

func (w *works) load() *config.Config {
	w.t.Helper()
	c, err := w.parse()
	must(w.t, err)
	return c
}

func (w *works) parse() (*config.Config, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, err := config.Parse(filepath.Join(w.dir, "relayhost.toml"), []byte(w.rest+w.toml("users", "upcase.wasm", w.text)))
	if err == nil {
		c.CacheDir = cacheDir
	}
	return c, err
}

// toml is a pipeline's part of a configuration.
func (w *works) toml(name, module, more string) string {
	return fmt.Sprintf(`[[pipeline]]
name = %q
shutdown = "20s"
%s
[pipeline.producer]
type = "eventrelay"
destination_id = %q
port = %d
token = %q
cacertfile = "ca.pem"
certfile = "client.pem"
keyfile = "client-key.pem"
pull_interval = "10ms"
[pipeline.plugin]
module = %q
%s
`, name, w.top, w.destination, w.port, w.consumer, module, more)
}

// configure has the next parse find another configuration.
func (w *works) configure(more string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = more + worksBatches
}

// send publishes n events, each with a number of its own.
func (w *works) send(n int) {
	w.t.Helper()
	must(w.t, w.trySend(n))
}

func (w *works) trySend(n int) error {
	events := make([]*pb.NewEvent, n)
	for i := range events {
		events[i] = &pb.NewEvent{
			Name: "user.created", Source: "MyApp", UserKey: fmt.Sprint("user", w.next%users),
			Data: fmt.Sprintf(`{"n":"n%05d"}`, w.next),
		}
		w.next++
	}
	_, err := eventrelay.Publish(w.t.Context(), w.conn, "users", events, true)
	return err
}

// flow publishes events, a few at a time, until the returned function is called,
// which waits until all have come out, each once.
func (w *works) flow() (end func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				if err := w.trySend(5); err != nil && w.t.Context().Err() == nil {
					w.t.Error(err)
					return
				}
			}
		}
	}()
	halt := sync.OnceFunc(func() {
		close(stop)
		<-done
	})
	w.t.Cleanup(halt)
	return func() {
		w.t.Helper()
		halt()
		w.settled()
	}
}

// came is one event that has come out.
type came struct {
	event, version int
	mark           string // of the plugin's config, "v" without one
}

var outcome = regexp.MustCompile(`(?s)"n":"n(\d{5})".*?(.)(\d{7})`)

// came are the events that have come out, in that order.
func (w *works) came() (all []came) {
	for _, found := range outcome.FindAllStringSubmatch(w.past+w.out.String(), -1) {
		event, _ := strconv.Atoi(found[1])
		version, _ := strconv.Atoi(found[3])
		all = append(all, came{event, version, found[2]})
	}
	return all
}

// by is how many events a version has handled.
func (w *works) by(version int) (n int) {
	for _, c := range w.came() {
		if c.version == version {
			n++
		}
	}
	return n
}

// settled waits until all that was sent in this run has come out, and wants each
// once.
func (w *works) settled() {
	w.t.Helper()
	w.within("all events have come out", func() bool {
		b := w.Books()["users"]
		return b.InFlight == 0 && len(w.came()) >= w.next
	})
	times := map[int]int{}
	for _, h := range w.came() {
		times[h.event]++
	}
	for n := range w.next {
		if times[n] != 1 {
			w.t.Errorf("event %d came out %d times", n, times[n])
		}
	}
	if b := w.Books()["users"]; b.Received != b.SettledOK() {
		w.t.Errorf("the books: %+v", b)
	}
}

// patience is for a machine that has much else to do.
const patience = time.Minute

// within waits for something that must come to be.
func (w *works) within(what string, is func() bool) {
	w.t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("waited %v until %s; the log:\n%.4000s", patience, what, w.log)
		}
	}
}

func (w *works) plugin() control.Plugin {
	w.t.Helper()
	p, err := w.client.Plugin(w.t.Context(), "users")
	must(w.t, err)
	return p
}

// digestOf is the digest of a good version.
func digestOf(t testing.TB, n int) string {
	t.Helper()
	return plugin.Digest(wilful(t, n, behaviour{}))
}

// live waits until a version is.
func (w *works) live(file []byte) {
	w.t.Helper()
	w.within("a version is live", func() bool {
		p := w.plugin()
		return p.Live.Digest == plugin.Digest(file) && (p.Rollout == nil || p.Rollout.Result != "")
	})
}

// ended waits until the rollout of a version has ended.
func (w *works) ended(file []byte, result string) control.Rollout {
	w.t.Helper()
	var r control.Rollout
	w.within("a rollout has ended "+result, func() bool {
		p := w.plugin()
		if p.Rollout == nil || p.Rollout.Digest != plugin.Digest(file) || p.Rollout.Result == "" {
			return false
		}
		r = *p.Rollout
		return true
	})
	if r.Result != result {
		w.t.Fatalf("the rollout ended %s, not %s: %s", r.Result, result, r.Error)
	}
	return r
}

// trying waits until a version is on trial.
func (w *works) trying(file []byte) {
	w.t.Helper()
	w.within("a version is on trial", func() bool {
		p := w.plugin()
		return p.Rollout != nil && p.Rollout.Digest == plugin.Digest(file) && p.Rollout.Trying()
	})
}

// swap sends a version, and waits for nothing.
func (w *works) swap(file []byte) {
	w.t.Helper()
	_, err := w.client.Swap(w.t.Context(), "users", control.Module{File: file, Name: "swapped"})
	must(w.t, err)
}

// version is what the history says of a file.
func (w *works) version(file []byte) control.Version {
	w.t.Helper()
	for _, v := range w.plugin().Versions {
		if v.Digest == plugin.Digest(file) {
			return v
		}
	}
	return control.Version{}
}

// lines are the lines of the log that have a text.
func (w *works) lines(text string) (found []string) {
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// metric is the value of a metric with these labels, 0 if there is none.
func (w *works) metric(series string) float64 {
	w.t.Helper()
	for line := range strings.Lines(w.ask(w.t, "/metrics")) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			must(w.t, err)
			return v
		}
	}
	return 0
}
