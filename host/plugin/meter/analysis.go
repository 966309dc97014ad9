package meter

import (
	"slices"

	"github.com/relayhost/relayhost/host/plugin/wasm"
)

const (
	// longRun is how many units of straight code run at most without a look at
	// the count.
	longRun = 4096
	// smallLeaf is how many units a function may cost that calls nothing and
	// has no loop, so that it needs no look at the count of its own: its caller
	// reckons with as much.
	smallLeaf = 64
	// maxNesting bounds blocks within blocks.
	maxNesting = 10_000
)

// charge is what a basic block costs, and where in the body it begins.
type charge struct {
	at    int
	units uint64
	// look: code has run straight on for long enough.
	look bool
}

// loop is one loop of a function, in the order in which they begin.
type loop struct {
	// tight: it calls nothing and has no loop in it, nor parameters.
	tight bool
	// units of its head's block.
	head int // an index into charges
}

// analysis is what is known of a function before it is rewritten.
type analysis struct {
	charges []charge
	loops   []loop
	calls   int
	sets    int
	targets int // of branch tables
	// loopDepth is how deep loops lie in loops.
	loopDepth int
	units     uint64 // of all instructions together
}

// leaf reports whether the function runs no other code.
func (a *analysis) leaf() bool { return a.calls == 0 }

// small reports whether the function needs no look at the count.
func (a *analysis) small() bool { return a.leaf() && len(a.loops) == 0 && a.units <= smallLeaf }

// frame is one open block while a body is analysed.
type frame struct {
	op       byte
	loop     int  // an index into loops, if it is one
	alive    bool // its beginning is reached
	targeted bool // a branch leads to its end
	hasElse  bool
}

type analyser struct {
	*analysis
	r      *wasm.Reader
	module *moduleIndex
	frames []frame
	inside int // loops that are open
	alive  bool
	run    uint64 // units since the last look, with what calls may cost
}

// analyse reads a body whole: its indices, its basic blocks and its loops.
func analyse(code *wasm.Code, index *moduleIndex, locals uint64) (*analysis, error) {
	a := &analyser{
		analysis: &analysis{}, r: wasm.NewReader(code.Body, code.Offset), module: index,
		frames: []frame{{op: opBlock, alive: true, loop: -1}}, alive: true,
	}
	a.begin(0)
	var in instruction
	for len(a.frames) > 0 && a.r.Err() == nil {
		next(a.r, &in)
		if a.r.Err() != nil {
			break
		}
		a.module.check(a.r, &in, locals)
		a.step(&in)
	}
	if a.r.Err() == nil && a.r.Len() > 0 {
		a.r.Fail(wasm.ErrMalformed, "code follows a function's end")
	}
	return a.analysis, a.r.Err()
}

// begin begins a basic block.
func (a *analyser) begin(at int) { a.charges = append(a.charges, charge{at: at}) }

func (a *analyser) step(in *instruction) {
	units := in.cost(a.module.imports)
	a.units += units
	if a.alive {
		a.charges[len(a.charges)-1].units += units
		a.run += units
	}
	if in.calls() {
		a.call(in)
	}
	switch in.op {
	case opLocalSet, opLocalTee:
		a.sets++
	case opBlock, opLoop, opIf:
		a.open(in)
	case opElse:
		a.otherwise(in)
	case opEnd:
		a.close(in)
	case opBr, opBrIf:
		a.branch(in.index)
	case opBrTable:
		a.targets += len(in.targets)
		for _, depth := range in.targets {
			a.branch(depth)
		}
	}
	switch {
	case in.ends():
		a.alive = false
	case in.op == opBrIf:
		a.begin(in.end)
	case a.run >= longRun && a.alive && len(a.frames) > 0:
		a.begin(in.end)
		a.charges[len(a.charges)-1].look = true
		a.run = 0
	}
}

// call notes that the innermost loops around it are not tight.
func (a *analyser) call(in *instruction) {
	a.calls++
	if in.op == opCall || in.op == opReturnCall {
		a.run += smallLeaf
	}
	for _, f := range slices.Backward(a.frames) {
		if f.loop < 0 {
			continue
		}
		if !a.loops[f.loop].tight {
			return // nor are those around it
		}
		a.loops[f.loop].tight = false
	}
}

func (a *analyser) open(in *instruction) {
	if len(a.frames) >= maxNesting {
		a.r.Fail(ErrRefused, "blocks are nested more than %d deep", maxNesting)
		return
	}
	f := frame{op: in.op, loop: -1, alive: a.alive}
	switch in.op {
	case opLoop:
		for _, around := range slices.Backward(a.frames) {
			if around.loop >= 0 {
				a.loops[around.loop].tight = false
				break
			}
		}
		a.inside++
		a.loopDepth = max(a.loopDepth, a.inside)
		f.loop = len(a.loops)
		a.begin(in.end)
		a.run = 0
		a.loops = append(a.loops, loop{tight: a.module.noParams(in.block), head: len(a.charges) - 1})
	case opIf:
		a.begin(in.end)
	}
	a.frames = append(a.frames, f)
}

func (a *analyser) otherwise(in *instruction) {
	f := &a.frames[len(a.frames)-1]
	if f.op != opIf || f.hasElse {
		a.r.Fail(wasm.ErrMalformed, "else without if")
		return
	}
	f.hasElse = true
	f.targeted = f.targeted || a.alive
	a.alive = f.alive
	a.begin(in.end)
}

func (a *analyser) close(in *instruction) {
	f := a.frames[len(a.frames)-1]
	a.frames = a.frames[:len(a.frames)-1]
	if f.op == opLoop {
		a.inside--
	}
	if len(a.frames) == 0 {
		return
	}
	joins := f.targeted || f.op == opIf
	if f.op == opIf && !f.hasElse {
		f.targeted = f.targeted || f.alive
	}
	if joins || !a.alive {
		a.alive = a.alive || f.targeted
		a.begin(in.end)
	}
}

func (a *analyser) branch(depth uint32) {
	if int64(depth) >= int64(len(a.frames)) {
		a.r.Fail(wasm.ErrMalformed, "a branch leads out of the function")
		return
	}
	if f := &a.frames[len(a.frames)-1-int(depth)]; a.alive && f.op != opLoop {
		f.targeted = true
	}
}
