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

// work is what the benchmark runs: an export and how often at a time.
var work = []struct {
	module, export string
	n              uint64
}{
	{"go", "run_json", 300}, {"go", "run_hash", 40}, {"go", "run_sort", 20}, {"go", "run_regexp", 500},
	{"shapes", "leaf", 5_000_000}, {"shapes", "fib", 27},
}

// BenchmarkOverhead runs each work metered and as it is, in turns, and reports
// the median of the paired ratios.
func BenchmarkOverhead(b *testing.B) {
	files := map[string][]byte{"go": buildGoGuest(b), "shapes": wasmFile(b, "shapes")}
	product, real := 1.0, 0
	for _, w := range work {
		b.Run(w.export, func(b *testing.B) {
			plain, metered := instantiate(b, files[w.module], 0), instantiate(b, rewrite(b, files[w.module]), 0)
			var ratios []float64
			for b.Loop() {
				ratios = append(ratios, measure(b, metered, w.export, w.n)/measure(b, plain, w.export, w.n))
			}
			slices.Sort(ratios)
			median := ratios[len(ratios)/2]
			b.ReportMetric(median, "metered/plain")
			if w.module == "go" {
				product *= median
				real++
			}
		})
	}
	b.Logf("geometric mean over the Go guests: %.3f", math.Pow(product, 1/float64(max(real, 1))))
}

func measure(b *testing.B, g *guest, export string, n uint64) float64 {
	b.Helper()
	g.gauge.Start(math.MaxUint64, time.Hour)
	f := g.ExportedFunction(export)
	began := time.Now()
	if _, err := f.Call(g.ctx, n); err != nil {
		b.Fatal(err)
	}
	return float64(time.Since(began))
}
