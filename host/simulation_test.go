package host_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/devserver"
	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/source/eventrelay"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

var (
	simulations    = flag.Uint64("simulations", 30, "how many worlds TestSimulation runs; `make simulate` runs thousands")
	simulationFrom = flag.Uint64("simulation.from", 0, "the first world's number")
)

// TestSimulation runs whole worlds in virtual time: a pipeline with the real
// sources and the real journal, on a disk that is slow and loses what was not
// synced, a server that fails as the real one does, handlers and sinks that
// fail, and a machine that crashes at any instant, also between a write and its
// sync. All chance comes from the world's number: a failing one is run alone with
// -run 'TestSimulation/world_7$' -simulations 8.
//
// In the end every event that was published (in mode queue without reconcile:
// that was received) has come out or is a dead letter;
// none ended more often than the journal had it unsettled at a crash; and the
// books balanced whenever somebody looked.
func TestSimulation(t *testing.T) {
	for n := range *simulations {
		n += *simulationFrom
		t.Run(fmt.Sprintf("world %d", n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(t, n).run() })
		})
	}
}

// world is what outlives a crash: the server, the disk, and what came out.
type world struct {
	t      *testing.T
	number uint64
	random *rand.Rand // of the world's own goroutine
	mode   string
	server *devserver.Server
	relay  *relay
	disk   *vfs.MemFS
	queue  string

	mu        sync.Mutex
	published int // events are numbered from 1 on
	kept      map[string]bool
	out       map[string]int // by the event's number, as text
	again     map[string]int // how often an event may end once more
	rolls     map[string]uint64
	history   map[string][]string // what happened to each event; "" is for all
}

func newWorld(t *testing.T, number uint64) *world {
	server, err := devserver.New(devserver.Options{Unlock: true})
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	must(t, server.CreateTopic("t"))
	queue, err := server.CreateDestination(devserver.Destination{Name: "queue", Topic: "t"})
	must(t, err)
	w := &world{
		t: t, number: number, random: rand.New(rand.NewPCG(number, 1)), server: server, queue: queue,
		disk: vfs.NewCrashableMem(), kept: map[string]bool{}, out: map[string]int{}, again: map[string]int{}, rolls: map[string]uint64{}, history: map[string][]string{},
	}
	w.mode = []string{"log", "queue", "reconcile"}[w.random.IntN(3)]
	w.relay = newRelay(server, w.roll)
	return w
}

// tell notes what happens to an event, or to all.
func (w *world) tell(number, format string, args ...any) {
	text := time.Now().Format("04:05.000000 ") + fmt.Sprintf(format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history[number] = append(w.history[number], text)
}

// story is what happened to an event, in order.
func (w *world) story(number string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Concat(w.history[number], w.history[""])
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(a[:12], b[:12]) })
	return strings.Join(all, "\n\t")
}

// roll is 0 to n-1, by chance that depends on what is asked and how often it was
// asked before, and not on which goroutine comes first.
func (w *world) roll(n int, what ...string) int {
	h := fnv.New64a()
	_ = binary.Write(h, binary.BigEndian, w.number)
	for _, s := range what {
		_, _ = h.Write([]byte(s))
		_, _ = h.Write([]byte{0})
	}
	key := string(h.Sum(nil))
	w.mu.Lock()
	w.rolls[key]++
	_ = binary.Write(h, binary.BigEndian, w.rolls[key])
	w.mu.Unlock()
	return int(rand.New(rand.NewPCG(h.Sum64(), 2)).Uint64() % uint64(n))
}

func (w *world) run() {
	for range 1 + w.random.IntN(5) {
		l := w.begin(true)
		for range 1 + w.random.IntN(4) {
			w.publish(w.random.IntN(80))
			most := 4000
			if w.random.IntN(4) == 0 {
				most *= 20
			}
			time.Sleep(time.Duration(w.random.IntN(most)) * time.Millisecond)
			w.look(l)
		}
		if w.random.IntN(4) == 0 {
			w.end(l)
		} else {
			w.crash(l)
		}
		if w.random.IntN(3) == 0 { // nobody is there for a while
			w.publish(w.random.IntN(80))
			time.Sleep(time.Duration(w.random.IntN(120)) * time.Second)
		}
	}
	w.finish()
	w.verdict()
}

// publish publishes n events, some of which are held back for a while.
func (w *world) publish(n int) {
	r := &pb.PublishEventsRequest{Topic: "t", Durable: true}
	for range n {
		w.published++
		e := &pb.NewEvent{Name: "n", Source: "simulation", Data: "{}", ReferenceKey: fmt.Sprint(w.published), UserKey: fmt.Sprint(w.published % 7)}
		if w.random.IntN(10) == 0 {
			e.AvailableAt = time.Now().Add(time.Duration(w.random.IntN(30)) * time.Second).UTC().Format(time.RFC3339)
		}
		r.Events = append(r.Events, e)
	}
	must(w.t, w.relay.perform(pb.Events_PublishEvents_FullMethodName, r, new(pb.PublishEventsResponse)))
}

// lookback is how long the log mode looks for late events; the latest come after
// 30 s.
const lookback = 35 * time.Second

// life is one process: it begins, and ends by a crash or a drain.
type life struct {
	world    *world
	dead     atomic.Bool
	left     atomic.Int64 // operations of the disk until the crash, if above 0
	crashed  chan *vfs.MemFS
	journal  *journal.Journal
	inbox    *journal.Inbox
	pipeline *pipeline.Pipeline
	cancel   context.CancelFunc
	ended    chan error
}

func (w *world) begin(faults bool) *life {
	l := &life{world: w, crashed: make(chan *vfs.MemFS, 1), ended: make(chan error, 1)}
	var err error
	l.journal, err = journal.Open("journal", journal.Options{FS: doomedDisk{w.disk, l.step}})
	must(w.t, err)
	l.inbox, err = l.journal.Inbox(journal.InboxOptions{Pipeline: "p", Remember: true})
	must(w.t, err)
	marks, err := l.inbox.Remembered()
	must(w.t, err)
	floor, _ := l.inbox.Floor()
	w.tell("", "BEGIN, with %d marks above the floor %d", len(marks), floor)
	l.pipeline, err = pipeline.New(w.shape(l), w.source(l, faults), plugged{l, faults})
	must(w.t, err)
	ctx, cancel := context.WithCancel(w.t.Context())
	l.cancel = cancel
	go func() { l.ended <- l.pipeline.Run(ctx) }()
	return l
}

func (w *world) shape(l *life) pipeline.Config {
	maxDemand := 1 + w.random.IntN(30)
	c := pipeline.Config{
		Name: "p", Shutdown: time.Hour, MaxInFlight: 20 + w.random.IntN(300), Journal: safekeeping{l.inbox, l},
		Producer:   pipeline.ProducerConfig{Concurrency: 1 + w.random.IntN(3)},
		Processors: pipeline.ProcessorsConfig{Concurrency: 1 + w.random.IntN(3), MaxDemand: maxDemand, MinDemand: w.random.IntN(maxDemand)},
		Failures: pipeline.FailureConfig{
			OnFailure: message.Retry,
			Retry:     pipeline.RetryConfig{MaxAttempts: 1 + w.random.IntN(3), Backoff: 50 * time.Millisecond, MaxBackoff: time.Second},
		},
		Batchers: []pipeline.BatcherConfig{{
			Name: "default", Concurrency: 1 + w.random.IntN(2), BatchSize: 1 + w.random.IntN(20),
			BatchTimeout: time.Duration(1+w.random.IntN(500)) * time.Millisecond, Sink: outlet{l},
		}},
	}
	return c
}

// safekeeping is the journal, looked over: what it says is safe is there if the
// machine crashes at that instant.
type safekeeping struct {
	*journal.Inbox

	life *life
}

func (s safekeeping) Append(ctx context.Context, stop <-chan struct{}, messages []*message.Message) error {
	w := s.life.world
	for _, m := range messages {
		w.tell(number(m.Event), "pulled")
	}
	err := s.Inbox.Append(ctx, stop, messages)
	for _, m := range messages {
		w.keep(number(m.Event), err, s.life.dead.Load())
	}
	if err != nil || s.life.dead.Load() || w.roll(10, "look") > 0 {
		return err
	}
	safe := w.unsettled(w.disk.CrashClone(vfs.CrashCloneCfg{}))
	for _, m := range messages {
		if n := number(m.Event); !safe[n] {
			w.t.Errorf("event %s was said to be safe, and is not", n)
		}
	}
	return nil
}

// keep notes what became of an Append. One that returns after the crash has
// promised nothing.
func (w *world) keep(number string, err error, dead bool) {
	w.tell(number, "kept: %v", err)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && !dead {
		w.kept[number] = true
	}
}

// promised reports whether an event may not be lost: mode queue loses what it
// does not receive.
func (w *world) promised(number string) bool { return w.mode != "queue" || w.kept[number] }

func (w *world) source(l *life, faults bool) pipeline.Source {
	conn := &wire{relay: w.relay, life: l, faults: faults}
	quiet := slog.New(slog.DiscardHandler)
	if w.mode == "log" {
		return eventrelay.NewLog(conn, eventrelay.LogOptions{
			Topic: "t", PullInterval: 200 * time.Millisecond, Memory: l.inbox, Logger: quiet,
			Lookback: eventrelay.Lookback{Time: lookback},
		})
	}
	return eventrelay.New(conn, eventrelay.Options{
		DestinationID: w.queue, PullInterval: 200 * time.Millisecond, Logger: quiet,
		Reconcile: w.mode == "reconcile", ReconcileInterval: 2 * time.Second, Topic: "t", Memory: l.inbox, Lookback: eventrelay.Lookback{Time: lookback},
	})
}

// look checks the books at some instant.
func (w *world) look(l *life) {
	b := l.pipeline.Books()
	if b.Received != b.InFlight+b.SettledTotal() {
		w.t.Errorf("the books do not balance: %+v", b)
	}
	if kept := l.journal.Stats().Pipelines["p"].Unsettled; kept > b.InFlight+int64(w.published) {
		w.t.Errorf("the journal has %d unsettled of %d in flight", kept, b.InFlight)
	}
}

// crash has the machine crash at one of the disk's next operations, or soon. What
// was not synced is lost, or not.
func (w *world) crash(l *life) {
	l.left.Store(1 + int64(w.random.IntN(40)))
	soon := time.NewTimer(5 * time.Second)
	defer soon.Stop()
	select {
	case w.disk = <-l.crashed:
	case <-soon.C:
		l.left.Store(1)
		l.step()
		w.disk = <-l.crashed
	}
	l.bury()
	for n := range w.unsettled(w.disk) {
		w.again[n]++
		w.tell(n, "unsettled")
	}
}

// step is called before each operation of the disk.
func (l *life) step() {
	if l.left.Add(-1) != 0 {
		return
	}
	l.dead.Store(true)
	w := l.world
	w.tell("", "CRASH")
	percent := w.roll(101, "unsynced")
	l.crashed <- w.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(w.number, 3))})
}

// bury has the goroutines of a dead process end; nothing that they do counts.
func (l *life) bury() {
	l.cancel()
	<-l.ended
	_ = l.journal.Close()
}

// end lets the process drain.
func (w *world) end(l *life) {
	l.cancel()
	must(w.t, <-l.ended)
	must(w.t, l.journal.Close())
}

// unsettled is what the journal on a disk has.
func (w *world) unsettled(disk vfs.FS) map[string]bool {
	j, err := journal.Open("journal", journal.Options{FS: disk})
	must(w.t, err)
	inbox, err := j.Inbox(journal.InboxOptions{Pipeline: "p"})
	must(w.t, err)
	numbers := map[string]bool{}
	for {
		messages, err := inbox.Recover(1000)
		must(w.t, err)
		if len(messages) == 0 {
			break
		}
		for _, m := range messages {
			numbers[number(m.Event)] = true
		}
	}
	must(w.t, j.Close())
	return numbers
}

// number is an event's own, as text.
func number(event []byte) string {
	e, err := abi.ParseEvent(event)
	if err != nil {
		panic(err)
	}
	return string(e.ReferenceKey)
}

// finish runs a last process without faults, for as long as events are missing.
func (w *world) finish() {
	l := w.begin(false)
	for range 600 {
		time.Sleep(time.Second)
		if w.missing() == 0 {
			break
		}
	}
	time.Sleep(time.Minute) // those that die are not missed
	w.end(l)
}

// missing is how many events have not come out, and will not fail for good.
func (w *world) missing() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.published {
		if which := fmt.Sprint(i + 1); w.promised(which) && w.out[which] == 0 && !w.dies(which) {
			n++
		}
	}
	return n
}

// dies reports whether an event fails for good.
func (w *world) dies(number string) bool { return number[len(number)-1] == '3' }

func (w *world) verdict() {
	letters := w.deadLetters()
	for i := range w.published {
		id := fmt.Sprint(i + 1)
		ended := w.out[id] + letters[id]
		problem := ""
		switch {
		case ended == 0 && !w.promised(id):
		case ended == 0:
			problem = "is lost"
		case ended-1 > w.again[id]:
			problem = fmt.Sprintf("ended %d times, and was unsettled in %d crashes", ended, w.again[id])
		case w.dies(id) && w.out[id] > 0, !w.dies(id) && w.out[id] == 0:
			problem = fmt.Sprintf("came out %d times, and is %d dead letters", w.out[id], letters[id])
		}
		if problem != "" {
			w.t.Fatalf("event %s %s (%s):\n\t%s", id, problem, w.mode, w.story(id))
		}
	}
	if left := w.unsettled(w.disk); len(left) > 0 {
		w.t.Errorf("%d are unsettled in the end", len(left))
	}
}

func (w *world) deadLetters() map[string]int {
	j, err := journal.Open("journal", journal.Options{FS: w.disk})
	must(w.t, err)
	letters := map[string]int{}
	for d, err := range j.DeadLetters(journal.Filter{}) {
		must(w.t, err)
		letters[number(d.Event)]++
		if len(d.Event) == 0 || d.Reason == "" || d.Attempts == 0 || d.Failed.Before(d.Received) {
			w.t.Errorf("a dead letter lacks something: %+v", d)
		}
	}
	must(w.t, j.Close())
	return letters
}

// plugged makes handlers that fail.
type plugged struct {
	life   *life
	faults bool
}

func (p plugged) NewHandler(_ context.Context, s message.Stage) (pipeline.Handler, error) {
	if s == message.StageFailures {
		return nil, nil
	}
	return p, nil
}
func (plugged) Callbacks() pipeline.Callbacks { return pipeline.Callbacks{} }
func (plugged) Interrupt()                    {}
func (plugged) Close(context.Context) error   { return nil }

func (plugged) PrepareMessages([]*message.Message) []message.Patch { return nil }

func (plugged) HandleFailed([]message.Failure) ([]message.OnFailure, message.Outcome) {
	return nil, message.Outcome{}
}

func (p plugged) HandleMessage(m *message.Message) (patch message.Patch) {
	w := p.life.world
	time.Sleep(time.Duration(w.roll(20, "handle", number(m.Event))) * time.Millisecond)
	if w.dies(number(m.Event)) {
		patch.Outcome = message.Failed(message.Trap, "as it must")
	}
	return patch
}

// HandleBatch fails some at first, and emits the ids of the others.
func (p plugged) HandleBatch(b *message.Batch) message.BatchResult {
	r := message.BatchResult{Outcomes: make([]message.Outcome, len(b.Messages))}
	for _, m := range b.Messages {
		r.Records = append(r.Records, message.Record{Data: []byte(number(m.Event))})
	}
	return r
}

var errOutlet = errors.New("the outlet is shut")

// outlet is the sink: slow, and what it gets after a crash does not count.
type outlet struct{ life *life }

func (o outlet) Deliver(_ context.Context, _ *message.Batch, records []message.Record) error {
	w := o.life.world
	first := string(records[0].Data)
	time.Sleep(time.Duration(w.roll(300, "deliver", first)) * time.Millisecond)
	if o.life.dead.Load() {
		return errOutlet
	}
	for _, r := range records {
		w.tell(string(r.Data), "delivered")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range records {
		w.out[string(r.Data)]++
	}
	return nil
}
