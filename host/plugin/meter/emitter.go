package meter

import (
	"slices"

	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// ownLocals is how many locals of type i64 the meter adds to a function: the
// count.
const ownLocals = 1

// mode is where the count is while code runs.
type mode uint8

const (
	inGlobal mode = iota
	// inLocal: in the function's first added local, from its entry on; in the
	// global only while another function runs.
	inLocal
	// inLoop: in that local, from a tight loop's beginning to its end.
	inLoop
)

// label is one open block while a body is rewritten.
type label struct {
	depth int // how many labels are open within it: its place in the new code
	// tight is what an iteration takes if the block is a tight loop.
	tight int64
}

// emitter writes one function's metered body.
type emitter struct {
	*rewriter
	*analysis
	typ   wasm.FuncType
	out   []byte
	body  []byte // the original
	local uint32 // the first of the meter's locals
	frame int64  // an estimate of the function's frame, 0 for a leaf
	mode  mode

	labels    []label
	depth     int // open labels in the new code
	nextLoop  int
	nextBlock int
	tightAt   int // len(labels) at the tight loop that is open
	head      uint64
	looked    bool // on the path to here, of a small function
}

func newEmitter(r *rewriter, a *analysis, typ wasm.FuncType, locals uint32) *emitter {
	e := &emitter{rewriter: r, analysis: a, typ: typ, local: locals}
	if a.prefersLocal() {
		e.mode = inLocal
	}
	return e
}

// prefersLocal reports whether the count is better kept in a local. To subtract
// from a global costs as much as to put the count there before a call and to
// fetch it behind.
func (a *analysis) prefersLocal() bool {
	if a.leaf() {
		return len(a.loops) > 0
	}
	return a.charged() > 2*a.calls
}

// wrapped reports whether the body stands in a block, behind which there is
// something to do at every exit.
func (e *emitter) wrapped() bool { return e.mode == inLocal || e.frame > 0 }

func (e *emitter) rewrite(code *wasm.Code) ([]byte, error) {
	e.body = code.Body
	e.out = make([]byte, 0, len(code.Body)*3/2+64)
	e.enter()
	e.depth = 1
	e.labels = append(e.labels, label{})
	r := wasm.NewReader(code.Body, code.Offset)
	var in instruction
	for len(e.labels) > 0 {
		next(r, &in)
		if err := r.Err(); err != nil {
			return nil, err
		}
		e.instruction(&in)
		e.blocks(in.end)
	}
	return e.out, nil
}

// enter writes what a function begins with: it takes the first block's units
// and the frame, and looks whether both are to be had.
func (e *emitter) enter() {
	e.nextBlock = 1
	if e.mode == inLocal {
		e.global(opGlobalGet, e.count).localOp(opLocalSet, e.local)
	}
	taken := int64(e.charges[0].units)<<unitShift + e.frame
	if e.entryLook() {
		e.takeAndLook(taken)
	} else {
		e.take(taken)
	}
	if e.wrapped() {
		e.op(opBlock)
		e.out = append(e.out, e.bodyType(e.typ.Results)...)
	}
}

// leave writes what stands behind a body's block.
func (e *emitter) leave() {
	if !e.wrapped() {
		return
	}
	e.op(opEnd)
	e.giveBack()
}

// giveBack returns the frame, and the count to the global.
func (e *emitter) giveBack() {
	e.get()
	if e.frame > 0 {
		e.i64(e.frame).op(opI64Add)
	}
	e.global(opGlobalSet, e.count)
}

// blocks charges the basic block that begins here, if one does.
func (e *emitter) blocks(at int) {
	for e.nextBlock < len(e.charges) && e.charges[e.nextBlock].at == at {
		c := e.charges[e.nextBlock]
		e.nextBlock++
		units := int64(c.units) << unitShift
		switch {
		case e.head > 0: // a loop's head has charged it
		case c.look:
			e.takeAndLook(units)
		default:
			e.take(units)
		}
		e.head = 0
	}
}

// take takes from the count without a look.
func (e *emitter) take(n int64) {
	switch {
	case n == 0:
	case e.mode == inGlobal:
		e.global(opGlobalGet, e.count).i64(n).op(opI64Sub).global(opGlobalSet, e.count)
	default:
		e.localOp(opLocalGet, e.local).i64(n).op(opI64Sub).localOp(opLocalSet, e.local)
	}
}

// takeAndLook takes from the count and calls out if there is not as much.
func (e *emitter) takeAndLook(n int64) {
	if e.mode == inGlobal {
		e.global(opGlobalGet, e.count).i64(n).op(opI64Sub).localOp(opLocalTee, e.local).global(opGlobalSet, e.count)
		e.localOp(opLocalGet, e.local)
	} else {
		e.localOp(opLocalGet, e.local).i64(n).op(opI64Sub).localOp(opLocalTee, e.local)
	}
	e.look()
}

// look calls out if the count on the stack shows that fuel or stack is used up.
func (e *emitter) look() {
	if e.frame > 0 {
		e.i64(exhausted).op(opI64And, opI64Eqz)
	} else {
		e.i64(0).op(opI64GeS)
	}
	e.op(opIf, blockEmpty, opElse)
	e.beside(func() { e.call(e.slow) })
	e.op(opEnd)
}

// outside has the count in the global while another function runs. A function
// that has not looked at the count when it began does now, once on each path.
func (e *emitter) outside(run func()) {
	if e.small() && !e.looked {
		e.looked = true
		e.get()
		e.look()
	}
	e.beside(run)
}

// beside has the count in the global while another function runs.
func (e *emitter) beside(run func()) {
	if e.mode == inGlobal {
		run()
		return
	}
	e.store()
	run()
	e.global(opGlobalGet, e.count).localOp(opLocalSet, e.local)
}

// instruction writes one instruction, or what stands in its place.
func (e *emitter) instruction(in *instruction) {
	switch in.op {
	case opBlock, opIf:
		e.copyOf(in)
		e.push(label{})
	case opLoop:
		e.loop(in)
	case opElse, opEnd:
		e.close(in)
	case opBr:
		e.br(in.index)
	case opBrIf:
		e.brIf(in)
	case opBrTable:
		e.brTable(in)
	case opReturn:
		e.ret()
	case opCall:
		e.outside(func() { e.call(e.index.shift(in.index)) })
	case opCallIndirect:
		e.outside(func() { e.copyOf(in) })
	case opRefFunc:
		e.op(opRefFunc).u32(e.index.shift(in.index))
	case opReturnCall, opReturnCallIndirect:
		e.tailCall(in)
	case opMemoryGrow:
		e.grows = true
		e.outside(func() { e.call(e.grow) })
	case opBulk:
		e.bulkOp(in)
	default:
		e.copyOf(in)
	}
}

// bulkOp has bulk instructions charged by their size, which is on top of the
// stack.
func (e *emitter) bulkOp(in *instruction) {
	switch in.sub {
	case bulkMemoryFill:
		e.moves = true
		e.outside(func() { e.call(e.fill) })
		return
	case bulkMemoryCopy:
		e.moves = true
		e.outside(func() { e.call(e.copy) })
		return
	case bulkMemoryInit:
		e.outside(func() { e.call(e.bulk) })
	case bulkTableInit, bulkTableCopy, bulkTableGrow, bulkTableFill:
		e.outside(func() { e.call(e.bulkTable) })
	}
	e.copyOf(in)
}

func (e *emitter) push(l label) {
	l.depth = e.depth
	e.labels = append(e.labels, l)
	e.depth++
}

// loop writes a loop's head. A tight loop stands in another one, whose head
// looks at the count: so the loop itself only subtracts, and no call is in it.
//
//	loop            ;; ours
//	  if count < units: call out
//	  loop          ;; the module's
//	    count -= units
//	    if count >= 0: what the module has
//	    else: count += units; branch to ours
func (e *emitter) loop(in *instruction) {
	l := e.loops[e.nextLoop]
	units := int64(e.charges[l.head].units) << unitShift
	if l.tight && units > 0 {
		e.tightHead(in, units)
	} else {
		e.copyOf(in)
		e.push(label{})
		e.takeAndLook(units)
	}
	e.nextLoop++
	e.head = 1
}

func (e *emitter) tightHead(in *instruction, units int64) {
	if e.mode == inGlobal {
		e.mode = inLoop
		e.tightAt = len(e.labels)
		e.global(opGlobalGet, e.count).localOp(opLocalSet, e.local)
	}
	e.copyOf(in)
	e.depth++
	e.localOp(opLocalGet, e.local).i64(units).op(opI64LtS, opIf, blockEmpty)
	e.localOp(opLocalGet, e.local).i64(units).op(opI64Sub).global(opGlobalSet, e.count).call(e.slow)
	e.global(opGlobalGet, e.count).i64(units).op(opI64Add).localOp(opLocalSet, e.local)
	e.op(opEnd)
	e.copyOf(in)
	e.push(label{tight: units})
	e.localOp(opLocalGet, e.local).i64(units).op(opI64Sub).localOp(opLocalTee, e.local)
	e.i64(0).op(opI64GeS, opIf)
	e.out = append(e.out, e.body[in.start+1:in.end]...)
	e.depth++
}

// tightEnd ends a tight loop.
func (e *emitter) tightEnd(units int64) {
	e.op(opElse)
	e.localOp(opLocalGet, e.local).i64(units).op(opI64Add).localOp(opLocalSet, e.local)
	e.op(opBr).u32(2).op(opEnd, opEnd, opEnd)
	e.depth -= 3
	if e.mode == inLoop && len(e.labels) == e.tightAt {
		e.store()
		e.mode = inGlobal
	}
}

// close ends an arm or a block: what follows may come from where nothing has
// looked at the count.
func (e *emitter) close(in *instruction) {
	e.looked = false
	if in.op == opElse {
		e.copyOf(in)
		return
	}
	l := e.labels[len(e.labels)-1]
	e.labels = e.labels[:len(e.labels)-1]
	if len(e.labels) == 0 {
		e.leave()
		e.op(opEnd)
		return
	}
	if l.tight > 0 {
		e.tightEnd(l.tight)
		return
	}
	e.copyOf(in)
	e.depth--
}

// get pushes the count.
func (e *emitter) get() {
	if e.mode == inGlobal {
		e.global(opGlobalGet, e.count)
		return
	}
	e.localOp(opLocalGet, e.local)
}

// store puts the count back into the global.
func (e *emitter) store() { e.localOp(opLocalGet, e.local).global(opGlobalSet, e.count) }

// target is the new depth of a label.
func (e *emitter) target(depth uint32) uint32 {
	return uint32(e.depth - 1 - e.labels[len(e.labels)-1-int(depth)].depth)
}

// leavesLoop reports whether a branch leads out of the tight loop that keeps
// the count.
func (e *emitter) leavesLoop(depth uint32) bool {
	return e.mode == inLoop && len(e.labels)-1-int(depth) < e.tightAt
}

func (e *emitter) br(depth uint32) {
	if e.leavesLoop(depth) {
		e.store()
	}
	e.op(opBr).u32(e.target(depth))
}

// brIf puts the count back before a branch that leads out of a tight loop. The
// values that the branch carries are on the stack, so it stays what it is.
func (e *emitter) brIf(in *instruction) {
	if e.leavesLoop(in.index) {
		e.store()
	}
	e.op(opBrIf).u32(e.target(in.index))
}

func (e *emitter) brTable(in *instruction) {
	if slices.ContainsFunc(in.targets, e.leavesLoop) {
		e.store()
	}
	e.op(opBrTable).u32(uint32(len(in.targets) - 1))
	for _, depth := range in.targets {
		e.u32(e.target(depth))
	}
}

// ret leaves by the body's block if there is something to do behind it.
func (e *emitter) ret() {
	if e.mode == inLoop {
		e.store()
	}
	if e.wrapped() {
		e.op(opBr).u32(uint32(e.depth - 1))
		return
	}
	e.op(opReturn)
}

// tailCall gives the frame back before the call that takes its place.
func (e *emitter) tailCall(in *instruction) {
	if e.small() && !e.looked {
		e.get()
		e.look()
	}
	e.giveBack()
	if in.op == opReturnCall {
		e.op(opReturnCall).u32(e.index.shift(in.index))
		return
	}
	e.copyOf(in)
}

func (e *emitter) copyOf(in *instruction) { e.out = append(e.out, e.body[in.start:in.end]...) }

func (e *emitter) op(ops ...byte) *emitter {
	e.out = append(e.out, ops...)
	return e
}

func (e *emitter) u32(v uint32) *emitter {
	e.out = wasm.AppendU32(e.out, v)
	return e
}

func (e *emitter) i64(v int64) *emitter {
	e.out = wasm.AppendS64(append(e.out, opI64Const), v)
	return e
}

func (e *emitter) global(op byte, index uint32) *emitter { return e.op(op).u32(index) }

func (e *emitter) localOp(op byte, index uint32) *emitter { return e.op(op).u32(index) }

func (e *emitter) call(f uint32) *emitter { return e.op(opCall).u32(f) }
