package host_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// small is a module of 20 KB: the tagger, with functions that nobody calls.
func small(b *testing.B) []byte {
	b.Helper()
	m, err := wasm.Decode(tagged(b, 0))
	if err != nil {
		b.Fatal(err)
	}
	last := len(m.Code) - 1
	for size := 0; size < 20<<10; size += len(m.Code[last].Body) {
		m.Functions, m.Code = append(m.Functions, m.Functions[last]), append(m.Code, m.Code[last])
	}
	return m.Encode()
}

// large is a Go plugin of 3 MB.
func large(b *testing.B) []byte {
	b.Helper()
	path := filepath.Join(b.TempDir(), "guest.wasm")
	build := exec.CommandContext(b.Context(), "go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", path, "./testdata/swapguest")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return file
}

// renumbered is a module that was never compiled: code and a global that nobody
// uses. A custom section would not do, since the meter leaves those out.
func renumbered(b *testing.B, file []byte, n int) []byte {
	b.Helper()
	m, err := wasm.Decode(file)
	if err != nil {
		b.Fatal(err)
	}
	const i32Const, end = 0x41, 0x0b
	m.Globals = append(m.Globals, wasm.Global{
		Type: wasm.GlobalType{Type: wasm.I32}, Init: wasm.Expr{i32Const, byte(n & 0x3f), end},
	})
	return m.Encode()
}

type nowhere struct{}

func (nowhere) Deliver(context.Context, *message.Batch, []message.Record) error { return nil }

// gaps are the times between one message that a slot has handled and the next.
type gaps struct {
	window atomic.Int32 // 1 around a swap

	mu   sync.Mutex
	seen [2][]time.Duration
}

type gapped struct {
	*plugin.Seat
	gaps   *gaps
	last   time.Time
	window int32
	seen   [2][]time.Duration
}

func (g *gapped) HandleMessage(m *message.Message) message.Patch {
	p := g.Seat.HandleMessage(m)
	now, window := time.Now(), g.gaps.window.Load()
	if !g.last.IsZero() {
		w := window | g.window
		g.seen[w] = append(g.seen[w], now.Sub(g.last))
	}
	g.last, g.window = now, window
	return p
}

func (g *gapped) Close(ctx context.Context) error {
	g.gaps.mu.Lock()
	for w := range g.seen {
		g.gaps.seen[w] = append(g.gaps.seen[w], g.seen[w]...)
	}
	g.gaps.mu.Unlock()
	return g.Seat.Close(ctx)
}

// percentile is in microseconds.
func percentile(d []time.Duration, p float64) float64 {
	slices.Sort(d)
	return d[int(p*float64(len(d)-1))].Seconds() * 1e6
}

// busy is a pipeline under load with a real event for each message.
func busy(b *testing.B, file []byte, watch func(*plugin.Seat) pipeline.Handler) *flow {
	b.Helper()
	f := &flow{t: b, source: newStream(40)}
	data := `{"name": "ada", "tags": ["a", "b"], "address": {"city": "London"}}`
	event := append([]byte{0x22, byte(len(data))}, data...)
	f.source.event = func(string) []byte { return event }
	f.run(plugin.Options{CacheDir: b.TempDir(), Compiler: itself}, file, nowhere{}, watch)
	f.settings.Background = func() bool { return true }
	return f
}

// itself is this test's process again, as one that compiles.
func itself(ctx context.Context) *exec.Cmd {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return exec.CommandContext(ctx, path)
}

// idle is the throughput while nothing else is going on, in messages a second.
func (f *flow) idle(d time.Duration) float64 {
	began, before := time.Now(), f.settled()
	time.Sleep(d)
	return float64(f.settled()-before) / time.Since(began).Seconds()
}

func bySize(b *testing.B, bench func(*testing.B, []byte)) {
	b.Run("20KB", func(b *testing.B) { bench(b, small(b)) })
	b.Run("3MB", func(b *testing.B) { bench(b, large(b)) })
}

// BenchmarkSwapGap compares the gaps in handling around swaps, from the load of
// the new version to the close of the old one, with those between swaps, in turns.
func BenchmarkSwapGap(b *testing.B) {
	bySize(b, func(b *testing.B, file []byte) {
		g := &gaps{}
		f := busy(b, file, func(s *plugin.Seat) pipeline.Handler { return &gapped{Seat: s, gaps: g} })
		n, took := 0, time.Duration(0)
		for b.Loop() {
			n++
			next := renumbered(b, file, n)
			began := time.Now()
			g.window.Store(1)
			if err := f.swap(next); err != nil {
				b.Fatal(err)
			}
			g.window.Store(0)
			took += time.Since(began)
			time.Sleep(time.Since(began))
		}
		f.end()
		without, with := percentile(g.seen[0], 0.999), percentile(g.seen[1], 0.999)
		b.ReportMetric(without, "without-µs-p99.9")
		b.ReportMetric(with, "with-µs-p99.9")
		b.ReportMetric(with/without, "gap-ratio")
		b.ReportMetric(took.Seconds()/float64(n), "s/swap")
	})
}

// BenchmarkSwapCompile compares the throughput while a module compiles in the
// background with that between, in turns.
func BenchmarkSwapCompile(b *testing.B) {
	bySize(b, func(b *testing.B, file []byte) {
		f := busy(b, file, func(s *plugin.Seat) pipeline.Handler { return s })
		f.idle(time.Second)
		var ratios []float64
		before := f.idle(time.Second)
		for b.Loop() {
			next := renumbered(b, file, len(ratios)+1)
			began, settled := time.Now(), f.settled()
			p, err := f.load(next)
			if err != nil {
				b.Fatal(err)
			}
			took := time.Since(began)
			with := float64(f.settled()-settled) / took.Seconds()
			if err := p.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
			after := f.idle(took)
			ratios = append(ratios, with/((before+after)/2))
			before = after
		}
		f.end()
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], "throughput-ratio")
	})
}
