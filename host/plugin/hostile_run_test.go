package plugin_test

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"go.uber.org/goleak"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// What hostile modules run under, so that the corpus is soon done.
var hostileLimits = plugin.Limits{
	Message:     plugin.Limit{Deadline: 5 * time.Second},
	Batch:       plugin.Limit{Deadline: 5 * time.Second},
	Configure:   plugin.Limit{Deadline: 100 * time.Millisecond},
	Start:       plugin.Limit{Deadline: 200 * time.Millisecond},
	MemoryPages: 1024,
}

// hostileDeadline is what calls that never return have.
const hostileDeadline = 20 * time.Millisecond

// attack and harmless are what the corpus takes for a long and a short message.
func attack() *message.Message {
	return &message.Message{ID: "1", Event: make([]byte, 200), Attempt: 1}
}

func harmless() *message.Message { return &message.Message{ID: "2", Event: []byte("e"), Attempt: 1} }

// Every module of the corpus gets what the tables say, and nothing else comes
// of it: the slot handles the next message with a fresh instance, garbage
// collections proceed, another pipeline on the same engine fails no message,
// the log stays the host's own and bounded, and neither goroutines nor more
// than maxGrowth of memory are left or were taken on the way.
func TestHostile(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	engine, log := open(t, plugin.Options{})
	undisturbed(t, engine)
	memory := watchMemory(t)
	for _, h := range hostileCalls {
		t.Run(h.name, func(t *testing.T) { h.run(t, engine); memory.look() })
	}
	for _, name := range slices.Concat(hostileEndless, []string{"batch_spin"}) {
		h := hostile{name: name, kind: message.Deadline, reason: "the deadline has passed", batch: name == "batch_spin"}
		t.Run(h.name, func(t *testing.T) { h.run(t, engine); memory.look() })
	}
	for name, want := range hostileRefused {
		t.Run(name, func(t *testing.T) { refused(t, engine, hostileModule(t, name), want); memory.look() })
	}
	ownLines(t, log)
}

func (h hostile) run(t *testing.T, engine *plugin.Engine) {
	limits := hostileLimits
	if h.kind == message.Deadline {
		limits.Message.Deadline, limits.Batch.Deadline = hostileDeadline, hostileDeadline
	}
	slot := newSlot(t, load(t, engine, hostileModule(t, h.name), plugin.Settings{Pipeline: "hostile", Limits: limits}))
	if got := slot.HandleMessage(harmless()); !got.OK() {
		t.Fatalf("before the attack: %v %q", got.Kind, got.Reason)
	}
	collected := make(chan struct{})
	go func() { runtime.GC(); close(collected) }()
	for _, got := range h.attack(slot) {
		if got.Kind != h.kind || !strings.Contains(got.Reason, h.reason) {
			t.Errorf("got %v %q, want %v %q", got.Kind, got.Reason, h.kind, h.reason)
		}
		clean(t, got.Reason, 2048)
	}
	<-collected
	if got := slot.HandleMessage(harmless()); !got.OK() {
		t.Errorf("after the attack: %v %q", got.Kind, got.Reason)
	}
}

func (h hostile) attack(slot *plugin.Slot) []message.Outcome {
	if !h.batch {
		return []message.Outcome{slot.HandleMessage(attack()).Outcome}
	}
	return slot.HandleBatch(&message.Batch{Messages: []*message.Message{attack(), attack()}}).Outcomes
}

// refused checks that a module is refused with a sentence that says why.
func refused(t *testing.T, engine *plugin.Engine, file []byte, want string) {
	t.Helper()
	limits := hostileLimits
	if !strings.Contains(want, "deadline") { // what ends by itself may take its time
		limits.Start, limits.Configure = limits.Message, limits.Message
	}
	p, err := engine.Load(t.Context(), "h.wasm", file, plugin.Settings{Pipeline: "hostile", Limits: limits})
	var refusal *plugin.Refusal
	if !errors.As(err, &refusal) {
		if p != nil {
			_ = p.Close(t.Context())
		}
		t.Fatalf("got %v, want a refusal", err)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("got %q, want %q", err, want)
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		clean(t, line, 4096)
	}
}

// clean checks that a text is one line of bounded length that a terminal shows
// as it is.
func clean(t *testing.T, line string, most int) {
	t.Helper()
	if len(line) > most || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("not one printable line of at most %d bytes: %.300q", most, line)
	}
}

// ownLines checks that no line of the log is a guest's own, and that floods
// were cut.
func ownLines(t *testing.T, log *logbook) {
	t.Helper()
	forged, floods := 0, map[string]int{}
	for _, line := range log.lines() {
		if !strings.HasPrefix(line, "time=") || !strings.Contains(line, " pipeline=") {
			t.Errorf("not the host's line: %.300q", line)
		}
		clean(t, line, 64<<10)
		if strings.Contains(line, "forged by a guest") {
			forged++
		}
		_, digest, _ := strings.Cut(line, "digest=")
		floods[digest[:12]]++
	}
	if forged != 2 {
		t.Errorf("%d lines that a guest forged, want 2 that are marked as the guest's", forged)
	}
	for digest, n := range floods {
		if n > 400 {
			t.Errorf("%d lines of plugin %s, want few", n, digest)
		}
	}
}

// undisturbed has another pipeline handle messages until the test ends.
func undisturbed(t *testing.T, engine *plugin.Engine) {
	t.Helper()
	slot := newSlot(t, load(t, engine, module(t, "echo"), plugin.Settings{Pipeline: "good"}))
	stop, handled := make(chan struct{}), 0
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if got := slot.HandleMessage(harmless()); !got.OK() || len(got.Data) == 0 {
				t.Errorf("the other pipeline: %v %q", got.Kind, got.Reason)
				return
			}
			handled++
			runtime.Gosched()
		}
	})
	t.Cleanup(func() {
		close(stop)
		running.Wait()
		if handled < 1000 {
			t.Errorf("the other pipeline handled %d messages", handled)
		}
	})
}

// maxGrowth is how much memory the corpus may make the process take, at any
// time: some instances of 64 MiB, and what the collector has not given back.
const maxGrowth = 400 << 20

type memoryWatch struct {
	t     *testing.T
	start int
}

func watchMemory(t *testing.T) *memoryWatch {
	t.Helper()
	return &memoryWatch{t: t, start: resident(t)}
}

// look fails if the process has grown too much.
func (w *memoryWatch) look() {
	if grown := resident(w.t) - w.start; grown > maxGrowth {
		w.t.Errorf("%s: the process has grown by %d MiB, want at most %d", w.t.Name(), grown>>20, maxGrowth>>20)
	}
}

// resident is the process's memory in bytes; 0 where that is not to be had.
func resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, line, _ := strings.Cut(string(status), "VmRSS:")
	line, _, _ = strings.Cut(line, "kB")
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}
