package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/devserver"
	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/secret"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

var (
	crashRounds = flag.Int("crash.rounds", 6, "how often TestCrash ends the host in each mode; `make crash` has hundreds")
	crashSeed   = flag.Uint64("crash.seed", 0, "what TestCrash's chance begins with; 0 for a new one")
)

// crashConfig is the host of a crash test, but for how it reads.
const crashConfig = `
[[pipeline]]
name = "crash"
shutdown = "20s"
max_in_flight = 3000
[pipeline.producer]
host = "localhost"
port = %d
token = %q
pull_interval = "20ms"
%s
[pipeline.plugin]
module = "crash.wasm"
[pipeline.processors.default]
concurrency = 2
max_demand = 200
[pipeline.batchers.default]
batch_size = 50
batch_timeout = "20ms"
[pipeline.retry]
backoff = "5ms"
max_backoff = "20ms"
`

// TestCrash ends the host again and again, mostly by SIGKILL and at times by
// SIGTERM, while events are published, the server fails as the real one does,
// and the reader of standard output is slow. In the end every event that was
// published has come out or is a dead letter, and none came out twice but those
// that the journal had unsettled when the host was killed.
func TestCrash(t *testing.T) {
	t.Parallel()
	module := buildCrash(t)
	for mode, reading := range map[string]string{
		"log":   "mode = \"log\"\ntopic = \"crash\"",
		"queue": "destination_id = %q\ntopic = \"crash\"\nreconcile = true\nreconcile_interval = \"1s\"\nreconcile_start = \"earliest\"",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			c := newCrash(t, module, reading)
			for range *crashRounds {
				c.round()
			}
			c.finish()
			c.verdict()
		})
	}
}

func buildCrash(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "crash.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", file, "./testdata/crash")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// crash is one server, one host that runs and is ended many times, and what
// became of each event.
type crash struct {
	t         *testing.T
	random    *rand.Rand
	dir       string
	server    *devserver.Server
	publisher *grpc.ClientConn

	published int
	mu        sync.Mutex
	came      int         // different numbers
	out       map[int]int // how often each number came out
	// unsettled is in how many crashes the journal had each number.
	unsettled map[int]int
	kills     int
	audits    atomic.Int64
}

func newCrash(t *testing.T, module, reading string) *crash {
	t.Helper()
	seed := *crashSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-crash.seed %d", seed)
	c := &crash{
		t: t, random: rand.New(rand.NewPCG(seed, uint64(len(reading)))), dir: t.TempDir(),
		out: map[int]int{}, unsettled: map[int]int{},
	}
	c.serve()
	c.must(c.server.CreateTopic("crash"))
	var err error
	c.publisher, err = eventrelay.Dial(eventrelay.Options{Host: "127.0.0.1", Port: c.port(), Token: secret.New(c.server.AdminToken())})
	c.must(err)
	t.Cleanup(func() { _ = c.publisher.Close() })
	destination, err := c.server.CreateDestination(devserver.Destination{Name: "crash", Topic: "crash"})
	c.must(err)
	token, err := c.server.CreateConsumerKey(destination)
	c.must(err)
	if strings.Contains(reading, "%q") {
		reading = fmt.Sprintf(reading, destination)
	}
	c.write("relayhost.toml", fmt.Sprintf(crashConfig, c.port(), token, reading))
	wasm, err := os.ReadFile(module)
	c.must(err)
	c.write("crash.wasm", string(wasm))
	return c
}

func (c *crash) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *crash) write(name, text string) {
	c.t.Helper()
	c.must(os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600))
}

func (c *crash) serve() {
	server, err := devserver.New(devserver.Options{})
	c.must(err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	c.t.Cleanup(func() {
		cancel()
		c.must(<-done)
	})
	c.server = server
}

func (c *crash) port() int { return c.server.Addr().(*net.TCPAddr).Port }

// publish publishes the next n numbers.
func (c *crash) publish(n int) {
	events := make([]*pb.NewEvent, n)
	c.mu.Lock()
	for i := range events {
		c.published++
		events[i] = &pb.NewEvent{Name: "n", Source: "crash", Data: fmt.Sprintf(`{"n":%d}`, c.published)}
	}
	c.mu.Unlock()
	if _, err := eventrelay.Publish(c.t.Context(), c.publisher, "crash", events, true); err != nil {
		c.t.Error(err)
	}
}

// round runs the host while events keep coming, and ends it in the midst of them.
func (c *crash) round() {
	h := c.start()
	h.log.await("msg=running")
	c.server.SetFaults(c.faults()...)
	var load sync.WaitGroup
	for range 2 { // so that one can be late
		load.Go(func() {
			for h.alive() {
				if c.behind() < 2000 {
					c.publish(100)
				} else {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	load.Go(func() { c.audit(h) })
	time.Sleep(time.Duration(c.random.IntN(400)) * time.Millisecond)
	killed := c.random.IntN(4) > 0
	if killed {
		h.kill()
	} else {
		c.must(h.stop())
	}
	load.Wait()
	if !killed {
		return
	}
	c.kills++
	unsettled, _ := c.journaled()
	for _, n := range unsettled {
		c.unsettled[n]++
	}
}

// audit looks at the books of a host for as long as it runs.
func (c *crash) audit(h *running) {
	host, err := control.Dial(filepath.Join(c.dir, "relayhost.journal", "host.sock"))
	if err != nil {
		return // it is ended already
	}
	for h.alive() {
		s, err := host.Status(c.t.Context())
		if err != nil {
			return
		}
		for _, p := range s.Pipelines {
			if p.Received != p.InFlight+p.SettledTotal() {
				c.t.Errorf("the books do not balance: %+v", p)
			}
		}
		c.audits.Add(1)
	}
}

// faults are some of those that the real server has, or none.
func (c *crash) faults() (faults []devserver.Fault) {
	if c.random.IntN(2) == 0 {
		return nil
	}
	for _, kind := range devserver.FaultKinds {
		f := devserver.Fault{Kind: kind, Probability: 0.05, Duration: time.Duration(1+c.random.IntN(100)) * time.Millisecond}
		if kind == devserver.Stall && c.random.IntN(20) == 0 {
			f.Duration = 5 * time.Second
		}
		if c.random.IntN(3) == 0 {
			faults = append(faults, f)
		}
	}
	return faults
}

// finish lets a host work off everything.
func (c *crash) finish() {
	c.server.SetFaults()
	h := c.start()
	for deadline := time.Now().Add(2 * time.Minute); c.behind() > 0 && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	c.must(h.stop())
}

// dies reports whether the plugin fails a number for good.
func dies(n int) bool { return n%50 == 0 || n%75 == 0 }

// behind is how many numbers have yet to come out.
func (c *crash) behind() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Of 150 numbers four die: 50, 75, 100 and 150.
	die := 4 * (c.published / 150)
	for n := c.published / 150 * 150; n <= c.published; n++ {
		if n%150 > 0 && dies(n) {
			die++
		}
	}
	return c.published - die - c.came
}

// journaled is which numbers the journal has unsettled, and which as dead
// letters. No host may be running.
func (c *crash) journaled() (unsettled, dead []int) {
	j, err := journal.Open(filepath.Join(c.dir, "relayhost.journal"), journal.Options{})
	c.must(err)
	inbox, err := j.Inbox(journal.InboxOptions{Pipeline: "crash"})
	c.must(err)
	for {
		messages, err := inbox.Recover(1000)
		c.must(err)
		if len(messages) == 0 {
			break
		}
		for _, m := range messages {
			unsettled = append(unsettled, c.number(m.Event))
		}
	}
	for letter, err := range j.DeadLetters(journal.Filter{}) {
		c.must(err)
		dead = append(dead, c.number(letter.Event))
	}
	c.must(j.Close())
	return unsettled, dead
}

// number is the one that an event has.
func (c *crash) number(event []byte) int {
	var e pb.Event
	c.must(proto.Unmarshal(event, &e))
	n, err := strconv.Atoi(strings.Trim(e.GetData(), `{"n:}`))
	c.must(err)
	return n
}

// verdict says what is missing, and what came out too often.
func (c *crash) verdict() {
	unsettled, dead := c.journaled()
	if len(unsettled) > 0 {
		c.t.Errorf("the journal has %d unsettled in the end", len(unsettled))
	}
	letters := map[int]int{}
	for _, n := range dead {
		letters[n]++
	}
	lost, twice := 0, 0
	for n := 1; n <= c.published; n++ {
		came, other := c.out[n], letters[n]
		if dies(n) {
			came, other = other, came
		}
		if came == 0 || other > 0 {
			lost++
			c.t.Errorf("number %d came out %d times, and is %d dead letters", n, c.out[n], letters[n])
		}
		if came-1 > c.unsettled[n] {
			c.t.Errorf("number %d ended %d times, and was unsettled in %d crashes", n, came, c.unsettled[n])
		}
		twice += max(0, came-1)
	}
	known := 0
	for _, n := range c.unsettled {
		known += n
	}
	c.t.Logf("%d published, %d kills; %d lost, %d duplicates of %d that were unsettled when the host was killed; the books balanced %d times",
		c.published, c.kills, lost, twice, known, c.audits.Load())
}

// running is a host that runs, and the reader of what it writes.
type running struct {
	*exec.Cmd
	read  sync.WaitGroup
	log   logbook
	ended atomic.Bool
}

func (h *running) alive() bool { return !h.ended.Load() }

// logbook is what a host has said.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await waits until the host has said something, for as long as a test may take.
func (l *logbook) await(text string) {
	for !strings.Contains(l.String(), text) {
		time.Sleep(time.Millisecond)
	}
}

// start runs a host whose standard output has a slow reader.
func (c *crash) start() *running {
	h := &running{Cmd: &exec.Cmd{Path: os.Args[0], Args: []string{"relayhost", "run"}, Dir: c.dir}}
	h.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(c.dir, "cache"))
	h.Stderr = &h.log
	out, err := h.StdoutPipe()
	c.must(err)
	c.must(h.Start())
	pauses := rand.New(rand.NewPCG(c.random.Uint64(), 1))
	h.read.Go(func() {
		for lines := bufio.NewReader(out); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				return // a line without an end was not delivered
			}
			n, _ := strconv.Atoi(line[:len(line)-1])
			c.mu.Lock()
			if c.out[n]++; c.out[n] == 1 {
				c.came++
			}
			c.mu.Unlock()
			if pauses.IntN(200) == 0 {
				time.Sleep(time.Duration(pauses.IntN(10)) * time.Millisecond)
			}
		}
	})
	return h
}

func (h *running) kill() {
	h.ended.Store(true)
	_ = h.Process.Kill()
	h.read.Wait()
	_ = h.Wait()
}

// stop lets the host drain.
func (h *running) stop() error {
	h.ended.Store(true)
	if err := h.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	h.read.Wait()
	if err := h.Wait(); err != nil {
		return fmt.Errorf("the host ended with %w:\n%s", err, &h.log)
	}
	return nil
}
