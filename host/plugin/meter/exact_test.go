package meter_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/relayhost/relayhost/host/plugin/meter"
)

// guest is one metered instance.
type guest struct {
	api.Module
	ctx   context.Context
	gauge *meter.Gauge
}

const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

func instantiate(t testing.TB, file []byte, slice int64) *guest {
	t.Helper()
	g := &guest{gauge: meter.NewGauge(slice, new(atomic.Bool))}
	g.ctx = g.gauge.Context(context.Background())
	runtime := wazero.NewRuntimeWithConfig(g.ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features))
	t.Cleanup(func() { _ = runtime.Close(context.Background()) })
	if err := meter.Import(g.ctx, runtime); err != nil {
		t.Fatal(err)
	}
	wasi_snapshot_preview1.MustInstantiate(g.ctx, runtime)
	g.gauge.Start(math.MaxUint64, time.Minute)
	var err error
	g.Module, err = runtime.InstantiateWithConfig(g.ctx, file,
		wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize").WithStdout(os.Stdout))
	if err != nil {
		t.Fatal(err)
	}
	g.gauge.Bind(g.Module)
	return g
}

// call gives a call all the fuel there is and returns what it spent.
func (g *guest) call(name string, args ...uint64) (results []uint64, spent uint64, err error) {
	g.gauge.Start(math.MaxUint64, time.Minute)
	results, err = g.ExportedFunction(name).Call(g.ctx, args...)
	return results, g.gauge.Spent(), err
}

func wasmFile(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.ReadFile("testdata/" + name + ".wasm")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func rewrite(t testing.TB, file []byte) []byte {
	t.Helper()
	metered, err := meter.Rewrite(file, meter.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return metered
}

var shapes = []string{"small", "leaf", "nest", "mixed", "sum", "fib", "indirect", "values", "bulk", "params"}

// What a call costs is the sum of its instructions, whatever the slice.
func TestFuelIsExact(t *testing.T) {
	file := wasmFile(t, "shapes")
	naive, err := meter.RewriteNaively(file, meter.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, slice := range []int64{1, 50, meter.DefaultSlice} {
		t.Run(fmt.Sprint(slice), func(t *testing.T) {
			reference, metered := instantiate(t, naive, meter.DefaultSlice), instantiate(t, rewrite(t, file), slice)
			for _, name := range shapes {
				for n := range uint64(20) {
					want, wantSpent, err := reference.call(name, n)
					if err != nil {
						t.Fatal(err)
					}
					got, spent, err := metered.call(name, n)
					if err != nil || len(got) != len(want) || got[0] != want[0] {
						t.Errorf("%s(%d) = %v, %v, want %v", name, n, got, err, want)
					}
					if spent != wantSpent {
						t.Errorf("%s(%d) spent %d, its instructions are %d", name, n, spent, wantSpent)
					}
				}
			}
		})
	}
}

// A call that has what it needs returns, and one that has half of it does not,
// whatever the slice. In between it may return: code that runs straight on to
// its end does not look again.
func TestBudget(t *testing.T) {
	metered := rewrite(t, wasmFile(t, "shapes"))
	for _, slice := range []int64{1, 50, meter.DefaultSlice} {
		for _, name := range shapes {
			g := instantiate(t, metered, slice)
			_, spent, err := g.call(name, 13)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.budget(name, spent); err != nil {
				t.Errorf("%s with slices of %d and its %d units: %v", name, slice, spent, err)
			}
			short := instantiate(t, metered, slice).budget(name, spent/2)
			if spent > 64 && !errors.Is(short, meter.ErrFuel) {
				t.Errorf("%s with slices of %d and half of its %d units: %v", name, slice, spent, short)
			}
		}
	}
}

func (g *guest) budget(name string, fuel uint64) error {
	g.gauge.Start(fuel, time.Minute)
	_, err := g.ExportedFunction(name).Call(g.ctx, 13)
	return err
}
