package meter_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/plugin/meter"
)

// Real guests return metered what they return as they are, and are charged what
// they execute, instruction by instruction, whatever the slice.
func TestGuests(t *testing.T) {
	exports := map[string][]string{}
	for _, w := range slices.Concat(real, bare) {
		exports[w.guest] = append(exports[w.guest], w.export)
	}
	for name, exports := range exports {
		t.Run(name, func(t *testing.T) {
			file := guestFile(t, name)
			naive, err := meter.RewriteNaively(file, meter.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			metered := rewrite(t, file)
			plain, reference := instantiate(t, file, 0), instantiate(t, naive, 0)
			fine, usual := instantiate(t, metered, 50), instantiate(t, metered, meter.DefaultSlice)
			for _, export := range exports {
				want, _ := mustCall(t, plain, export)
				_, exact := mustCall(t, reference, export)
				for _, g := range []*guest{fine, usual} {
					if got, spent := mustCall(t, g, export); !slices.Equal(got, want) || spent != exact {
						t.Errorf("%s returns %v for %d units, want %v for %d", export, got, spent, want, exact)
					}
				}
			}
		})
	}
}

func mustCall(t *testing.T, g *guest, export string) (results []uint64, spent uint64) {
	t.Helper()
	results, spent, err := g.call(export, 7)
	if err != nil {
		t.Fatalf("%s: %v", export, err)
	}
	return results, spent
}

// A call of several slices, with a deadline, allocates nothing.
func TestStartAllocatesNothing(t *testing.T) {
	g := instantiate(t, rewrite(t, wasmFile(t, "shapes")), 0)
	f := g.ExportedFunction("leaf")
	stack := []uint64{5}
	call := func() {
		g.gauge.Start(math.MaxUint64, time.Second)
		stack[0] = 100_000 // several slices
		if err := f.CallWithStack(g.ctx, stack); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, call); n > 0 {
		t.Errorf("a call allocates %v times", n)
	}
}
