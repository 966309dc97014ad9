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
	for _, w := range slices.Concat(real, bare) {
		t.Run(w.guest+"/"+w.export, func(t *testing.T) {
			const n = 7
			file := guestFile(t, w.guest)
			want, _, err := instantiate(t, file, 0).call(w.export, n)
			if err != nil {
				t.Fatal(err)
			}
			metered := rewrite(t, file)
			var charged []uint64
			for _, slice := range []int64{50, meter.DefaultSlice} {
				got, spent, err := instantiate(t, metered, slice).call(w.export, n)
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("with slices of %d it returns %v, %v, want %v", slice, got, err, want)
				}
				charged = append(charged, spent)
			}
			naive, err := meter.RewriteNaively(file, meter.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			_, exact, err := instantiate(t, naive, 0).call(w.export, n)
			if err != nil {
				t.Fatal(err)
			}
			if charged[0] != exact || charged[1] != exact {
				t.Errorf("it is charged %d, and its instructions are %d", charged, exact)
			}
		})
	}
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
