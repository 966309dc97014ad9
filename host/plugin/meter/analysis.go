package meter

import (
	"slices"

	"github.com/relayhost/relayhost/host/plugin/wasm"
)

const (
	// longRun is how many units of straight code run at most without a look at
	// the count.
	longRun = 4096
	// smallUnits is how many units a function without loops may cost so that it
	// need not look at the count when it begins: its caller reckons with as much.
	smallUnits = 64
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
	held    uint64 // an upper estimate of what calls keep in the frame, in bytes
	targets int    // of branch tables
	// loopDepth is how deep loops lie in loops.
	loopDepth int
	units     uint64 // of all instructions together
	// loopFirst: what runs first runs straight into a loop.
	loopFirst bool
}

// leaf reports whether the function runs no other code.
func (a *analysis) leaf() bool { return a.calls == 0 }

// small reports whether the function is over soon unless it calls another.
func (a *analysis) small() bool { return len(a.loops) == 0 && a.units <= smallUnits }

// entryLook reports whether the function looks at the count when it begins. If
// it is small, it does before it calls another; if it begins with a loop, the
// loop does. A tight loop does not look at the stack.
func (a *analysis) entryLook() bool {
	return !a.small() && (!a.loopFirst || !a.leaf() && a.loops[0].tight)
}

// charged is how many basic blocks cost something.
func (a *analysis) charged() (n int) {
	for _, c := range a.charges {
		if c.units > 0 {
			n++
		}
	}
	return n
}

// frame is one open block while a body is analysed.
type frame struct {
	op       byte
	loop     int  // an index into loops, if it is one
	alive    bool // its beginning is reached
	targeted bool // a branch leads to its end
	leaves   int  // the outermost of the open blocks that a branch in it leaves
	hasElse  bool
	around   int // the charge of what it stands in
	then     int // the charge of the first block of the arm before else
	arm      int // the charge of the first block of the arm that is open
}

type analyser struct {
	*analysis
	r      *wasm.Reader
	module *moduleIndex
	frames []frame
	values *operands
	inside int // loops that are open
	// nesting is how deep blocks may be nested.
	nesting int
	alive   bool
	charge  int    // of the block that is open, an index into charges
	run     uint64 // units since the last look, with what calls may cost
}

// analyse reads a body whole: its indices, its basic blocks and its loops.
func analyse(code *wasm.Code, index *moduleIndex, locals uint64, nesting uint32) (*analysis, error) {
	a := &analyser{
		analysis: &analysis{}, r: wasm.NewReader(code.Body, code.Offset), module: index, nesting: int(nesting),
		frames: []frame{{op: opBlock, alive: true, loop: -1}}, alive: true, values: newOperands(index),
	}
	a.begin(0)
	var in instruction
	for len(a.frames) > 0 && a.r.Err() == nil {
		next(a.r, &in)
		if a.r.Err() != nil {
			break
		}
		a.module.check(a.r, &in, locals)
		if a.r.Err() != nil {
			break
		}
		a.values.step(&in, a.alive)
		a.step(&in)
	}
	a.held = a.values.size()
	if a.r.Err() == nil && a.r.Len() > 0 {
		a.r.Fail(wasm.ErrMalformed, "code follows a function's end")
	}
	return a.analysis, a.r.Err()
}

// begin begins a basic block.
func (a *analyser) begin(at int) {
	a.charge = len(a.charges)
	a.charges = append(a.charges, charge{at: at})
}

func (a *analyser) step(in *instruction) {
	units := in.cost(a.module)
	a.units += units
	if a.alive {
		a.charges[a.charge].units += units
		a.run += units
	}
	if in.calls() {
		a.call()
	}
	a.structure(in)
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

// structure follows what opens, closes and leaves blocks.
func (a *analyser) structure(in *instruction) {
	switch in.op {
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
	case opReturn, opReturnCall, opReturnCallIndirect:
		a.leave(0)
	}
}

// call notes that the innermost loops around it are not tight.
func (a *analyser) call() {
	a.calls++
	a.run += smallUnits
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
	if len(a.frames) > a.nesting {
		a.r.Fail(ErrRefused, "blocks are nested more than %d deep", a.nesting)
		return
	}
	f := frame{op: in.op, loop: -1, alive: a.alive, around: a.charge, leaves: len(a.frames) + 1}
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
		a.loopFirst = a.loopFirst || len(a.charges) == 1 && a.alive && a.calls == 0
		f.loop = len(a.loops)
		a.begin(in.end)
		a.run = 0
		a.loops = append(a.loops, loop{tight: a.module.noParams(in.block), head: len(a.charges) - 1})
	case opIf:
		a.begin(in.end)
		f.arm = a.charge
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
	f.then = f.arm
	a.alive = f.alive
	a.begin(in.end)
	f.arm = a.charge
}

// close ends a block. What follows runs as often as what the block stands in,
// unless a branch has left it: then it is charged there.
func (a *analyser) close(in *instruction) {
	f := a.frames[len(a.frames)-1]
	a.frames = a.frames[:len(a.frames)-1]
	if f.op == opLoop {
		a.inside--
	}
	if len(a.frames) == 0 {
		return
	}
	left := f.leaves <= len(a.frames)
	if around := &a.frames[len(a.frames)-1]; left {
		around.leaves = min(around.leaves, f.leaves)
	}
	if f.hasElse {
		a.share(&f)
	}
	reached := a.alive || f.targeted || f.op == opIf && !f.hasElse && f.alive
	joins := f.targeted || f.op == opIf || !a.alive
	a.alive = reached
	switch {
	case !left && f.alive:
		a.charge = f.around
	case joins:
		a.begin(in.end)
	}
}

// share charges what both arms of an if cost before it.
func (a *analyser) share(f *frame) {
	then, otherwise := &a.charges[f.then].units, &a.charges[f.arm].units
	both := min(*then, *otherwise)
	a.charges[f.around].units += both
	*then, *otherwise = *then-both, *otherwise-both
}

func (a *analyser) branch(depth uint32) {
	if int64(depth) >= int64(len(a.frames)) {
		a.r.Fail(wasm.ErrMalformed, "a branch leads out of the function")
		return
	}
	to := len(a.frames) - 1 - int(depth)
	a.leave(to + 1)
	if f := &a.frames[to]; a.alive && f.op != opLoop {
		f.targeted = true
	}
}

// leave notes that a branch leaves the open blocks down to number to.
func (a *analyser) leave(to int) {
	if f := &a.frames[len(a.frames)-1]; a.alive {
		f.leaves = min(f.leaves, to)
	}
}
