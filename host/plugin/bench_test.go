package plugin_test

import (
	"context"
	"encoding/binary"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// BenchmarkFloor compares a slot with what no host can do without: write the
// input, call, copy the output. Both run in turns in one loop, so trust the
// ratio rather than the times.
func BenchmarkFloor(b *testing.B) {
	const turn = 256
	engine, _ := open(b, plugin.Options{})
	slot := newSlot(b, load(b, engine, module(b, "echo"), plugin.Settings{}))
	m := &message.Message{Event: make([]byte, 254), Attempt: 1}
	raw := newFloor(b, abi.Message{Event: m.Event, Attempt: m.Attempt}.Append(nil))
	var ours, floor time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		for range turn {
			if p := slot.HandleMessage(m); len(p.Data) != len(raw.input) {
				b.Fatalf("got %+v", p.Outcome)
			}
		}
		between := time.Now()
		for range turn {
			raw.call(b)
		}
		ours += between.Sub(began)
		floor += time.Since(between)
	}
	calls := float64(b.N * turn)
	b.ReportMetric(float64(ours)/calls, "slot-ns/message")
	b.ReportMetric(float64(floor)/calls, "floor-ns/message")
	b.ReportMetric(float64(ours)/float64(floor), "slot/floor")
}

// floor is wazero without a host around it.
type floor struct {
	ctx    context.Context
	memory api.Memory
	handle api.Function
	input  []byte
	output []byte
	stack  [2]uint64
}

func newFloor(b *testing.B, input []byte) *floor {
	b.Helper()
	engine := wazero.NewRuntime(b.Context())
	b.Cleanup(func() { _ = engine.Close(context.Background()) })
	instance, err := engine.Instantiate(b.Context(), module(b, "echo"))
	if err != nil {
		b.Fatal(err)
	}
	return &floor{ctx: context.Background(), memory: instance.Memory(), handle: instance.ExportedFunction(abi.ExportHandleMessage), input: input}
}

func (f *floor) call(b *testing.B) {
	const buffer = 65536
	f.memory.Write(buffer, f.input)
	f.stack = [2]uint64{buffer, uint64(len(f.input))}
	if err := f.handle.CallWithStack(f.ctx, f.stack[:]); err != nil {
		b.Fatal(err)
	}
	view, ok := f.memory.Read(abi.Unpack(f.stack[0]))
	if !ok || binary.LittleEndian.Uint16(view) == 0 {
		b.Fatal("no output")
	}
	f.output = append([]byte(nil), view...)
}

// BenchmarkCollection is a garbage collection beside two guests that spin: on
// two processors there is none left for it but what they give up at each slice.
func BenchmarkCollection(b *testing.B) {
	engine, _ := open(b, plugin.Options{})
	p := load(b, engine, module(b, "puppet"), plugin.Settings{
		Limits: plugin.Limits{Message: plugin.Limit{Deadline: time.Hour, Fuel: 1 << 60}},
	})
	var spinning sync.WaitGroup
	defer spinning.Wait()
	for range 2 {
		slot := newSlot(b, p)
		spinning.Go(func() { slot.HandleMessage(order(cmdSpin)) })
		defer slot.Interrupt()
	}
	var times []time.Duration
	for b.Loop() {
		began := time.Now()
		runtime.GC()
		times = append(times, time.Since(began))
	}
	b.StopTimer()
	slices.Sort(times)
	b.ReportMetric(times[len(times)/2].Seconds()*1e3, "ms-p50")
	b.ReportMetric(times[len(times)-1].Seconds()*1e3, "ms-max")
}
