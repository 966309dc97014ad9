package meter_test

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// goGuest builds testdata/goguest.
var goGuest = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "relayhost-meter-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "guest.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", file, "./testdata/goguest")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		return out, err
	}
	return os.ReadFile(file)
})

func buildGoGuest(t testing.TB) []byte {
	t.Helper()
	file, err := goGuest()
	if err != nil {
		t.Fatalf("build goguest: %v\n%s", err, file)
	}
	return file
}

// work is an export of a guest and how often it does its work in about 10 ms.
type work struct {
	guest, export string
	n             uint64
}

// real is what handlers do, by compilers that people use.
var real = []work{
	{"go", "run_json", 150}, {"go", "run_hash", 20}, {"go", "run_sort", 15}, {"go", "run_regexp", 700},
	{"guests/c", "run_json", 10_000}, {"guests/c", "run_hash", 20}, {"guests/c", "run_sort", 20},
	{"guests/as", "run_json", 1000}, {"guests/as", "run_hash", 20}, {"guests/as", "run_sort", 20},
}

// bare is what metering can cost at worst.
var bare = []work{
	{"loops", "count", 10_000_000}, {"loops", "bytes", 10}, {"loops", "while", 10_000_000}, {"loops", "calls", 3_000_000},
	{"shapes", "leaf", 5_000_000}, {"shapes", "fib", 28},
}

func guestFile(t testing.TB, name string) []byte {
	t.Helper()
	if name == "go" {
		return buildGoGuest(t)
	}
	return wasmFile(t, name)
}

// BenchmarkOverhead runs each work metered and as it is, in turns, and reports
// the median of the paired ratios.
func BenchmarkOverhead(b *testing.B) {
	product := 1.0
	for _, w := range real {
		product *= overhead(b, w)
	}
	for _, w := range bare {
		overhead(b, w)
	}
	b.Run("geomean", func(b *testing.B) {
		for b.Loop() { //nolint:revive // there is nothing to run: it only reports
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(math.Pow(product, 1/float64(len(real))), "metered/plain")
	})
}

func overhead(b *testing.B, w work) (median float64) {
	b.Helper()
	median = math.NaN()
	b.Run(filepath.Base(w.guest)+"/"+w.export, func(b *testing.B) {
		file := guestFile(b, w.guest)
		plain, metered := instantiate(b, file, 0), instantiate(b, rewrite(b, file), 0)
		var ratios []float64
		for b.Loop() {
			took := measure(b, metered, w)
			ratios = append(ratios, took/measure(b, plain, w))
		}
		slices.Sort(ratios)
		median = ratios[len(ratios)/2]
		b.ReportMetric(median, "metered/plain")
	})
	return median
}

func measure(b *testing.B, g *guest, w work) float64 {
	b.Helper()
	g.gauge.Start(math.MaxUint64, time.Hour)
	f := g.ExportedFunction(w.export)
	began := time.Now()
	if _, err := f.Call(g.ctx, w.n); err != nil {
		b.Fatal(err)
	}
	return float64(time.Since(began))
}
