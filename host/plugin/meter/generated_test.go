package meter_test

import (
	"errors"
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/plugin/meter"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

var programs = flag.Uint64("programs", 300, "how many random programs TestGeneratedFuel compares")

// program writes random structured code: blocks, arms, loops, branches of all
// kinds to anywhere, calls, and code that is never reached. It computes on eight
// locals, the first of them the parameter, so that its way depends on that.
type program struct {
	*rand.Rand
	out    []byte
	labels int
	callee byte // functions that may be called
}

func (p *program) emit(b ...byte) { p.out = append(p.out, b...) }

// value pushes an i32 that depends on the locals.
func (p *program) value() {
	p.emit(0x20, byte(p.IntN(8)), 0x41, byte(p.IntN(32)), []byte{0x6a, 0x6b, 0x6c, 0x73}[p.IntN(4)]) // add, sub, mul, xor
}

func (p *program) condition() {
	p.value()
	p.emit(0x41, byte(1+p.IntN(3)), 0x71) // and
}

func (p *program) block(depth int) {
	p.labels++
	for range 1 + p.IntN(4) {
		p.statement(depth)
	}
	p.labels--
}

func (p *program) statement(depth int) {
	kind := p.IntN(12)
	if depth == 0 {
		kind = p.IntN(3)
	}
	switch kind {
	default:
		p.value()
		p.emit(0x21, byte(p.IntN(8)))
	case 1:
		if p.callee > 0 {
			p.value()
			p.emit(0x10, byte(p.IntN(int(p.callee))), 0x21, byte(p.IntN(8)))
		}
	case 2:
		p.condition()
		p.emit(0x0d, byte(p.IntN(p.labels)))
	case 3, 4:
		p.emit(0x02, 0x40)
		p.block(depth - 1)
		p.emit(0x0b)
	case 5, 6:
		p.condition()
		p.emit(0x04, 0x40)
		p.block(depth - 1)
		if p.IntN(2) == 0 {
			p.emit(0x05)
			p.block(depth - 1)
		}
		p.emit(0x0b)
	case 7, 8:
		p.emit(0x03, 0x40)
		p.block(depth - 1)
		p.condition()
		p.emit(0x0d, 0, 0x0b)
	case 9:
		p.value()
		p.emit(0x0e, 2, byte(p.IntN(p.labels)), byte(p.IntN(p.labels)), byte(p.IntN(p.labels)))
	case 10:
		p.emit(0x0c, byte(p.IntN(p.labels)))
	case 11:
		p.value()
		p.emit(0x0f)
	}
}

// generate makes a module of three functions that call each other downwards.
func generate(random *rand.Rand) []byte {
	i32 := []wasm.ValueType{wasm.I32}
	m := wasm.Module{
		Types:   []wasm.FuncType{{Params: i32, Results: i32}},
		Exports: []wasm.Export{{Name: "run", Kind: wasm.KindFunc, Index: 2}},
	}
	for i := range byte(3) {
		p := &program{Rand: random, callee: i}
		// A block takes what would lead out of the function, which has a result.
		p.emit(0x02, 0x40)
		p.block(4)
		p.emit(0x0b, 0x20, 0, 0x0b)
		m.Functions = append(m.Functions, 0)
		m.Code = append(m.Code, wasm.Code{Locals: []wasm.Locals{{Count: 7, Type: wasm.I32}}, Body: p.out})
	}
	return m.Encode()
}

// Whatever a program's way through its blocks, it is charged what it executes,
// instruction by instruction, at every slice.
func TestGeneratedFuel(t *testing.T) {
	const enough = 200_000
	finished := 0
	for seed := range *programs {
		file := generate(rand.New(rand.NewPCG(seed, 3)))
		naive, err := meter.RewriteNaively(file, meter.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		reference := instantiate(t, naive, 0)
		guests := []*guest{instantiate(t, rewrite(t, file), 1), instantiate(t, rewrite(t, file), 50), instantiate(t, rewrite(t, file), 0)}
		for n := range uint64(8) {
			reference.gauge.Start(enough, time.Minute)
			want, err := reference.ExportedFunction("run").Call(reference.ctx, n)
			if errors.Is(err, meter.ErrFuel) {
				continue // it never ends
			}
			if err != nil {
				t.Fatalf("program %d(%d): %v", seed, n, err)
			}
			finished++
			for i, g := range guests {
				got, spent, err := g.call("run", n)
				if err != nil || got[0] != want[0] || spent != reference.gauge.Spent() {
					t.Errorf("program %d(%d), guest %d: %v, %v for %d units, want %v for %d",
						seed, n, i, got, err, spent, want, reference.gauge.Spent())
				}
			}
		}
	}
	if finished < int(*programs) {
		t.Errorf("only %d of %d calls ended", finished, 8**programs)
	}
}
