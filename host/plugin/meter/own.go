package meter

import (
	"strconv"

	"github.com/relayhost/relayhost/host/plugin/wasm"
)

const (
	// ExportCount is the global that counts down, an i64: what is left of the
	// slice, and below it what is left of the stack. It is the [Gauge]'s.
	ExportCount = Reserved + "_count"
	// ExportDenied is a global that is 1 once memory.grow has been refused.
	ExportDenied = Reserved + "_denied"
	// ExportGlobal begins the names of the module's own globals; see [Info].
	ExportGlobal = Reserved + "_g"
	// refill is the function that a metered module imports from Reserved.
	refill = "refill"

	// chunk is the most that one bulk instruction moves without a look at the
	// count, in bytes: about 0.2 ms.
	chunk = 1 << 20

	// unitShift is where in the count the units begin. Below them is what is left
	// of the stack, in parts of stackUnit bytes, with a sign.
	unitShift = 22
	stackUnit = 16
	stackSign = 1 << (unitShift - 1)
	stackMask = 1<<unitShift - 1
	// exhausted are the signs of both.
	exhausted = -1<<63 | stackSign
)

// addOwn adds the meter's import, globals and functions.
func (r *rewriter) addOwn() {
	m := r.module
	if r.limits.ExportGlobals {
		r.exportGlobals()
	}
	i64 := []wasm.ValueType{wasm.I64}
	m.Imports = append(m.Imports, wasm.Import{
		Module: Reserved, Name: refill, Kind: wasm.KindFunc,
		Func: r.addType(wasm.FuncType{Params: i64, Results: i64}),
	})
	for _, initial := range []int64{int64(r.limits.Stack / stackUnit), 0} {
		init := append(wasm.AppendS64([]byte{opI64Const}, initial), opEnd)
		m.Globals = append(m.Globals, wasm.Global{Type: wasm.GlobalType{Type: wasm.I64, Mutable: true}, Init: init})
	}
	m.Exports = append(m.Exports,
		wasm.Export{Name: ExportCount, Kind: wasm.KindGlobal, Index: r.count},
		wasm.Export{Name: ExportDenied, Kind: wasm.KindGlobal, Index: r.denied})

	size := wasm.FuncType{Params: i32s(1), Results: i32s(1)}
	r.addFunction(wasm.FuncType{}, nil, r.slowBody())
	r.addFunction(size, nil, r.bulkBody(4))
	r.addFunction(size, nil, r.bulkBody(0))
	r.addFunction(size, nil, r.growBody())
	three := wasm.FuncType{Params: i32s(3)}
	r.addFunction(three, []wasm.Locals{{Count: 1, Type: wasm.I64}}, r.fillBody())
	r.addFunction(three, []wasm.Locals{{Count: 1, Type: wasm.I64}}, r.copyBody())
}

func (r *rewriter) exportGlobals() {
	first := r.module.Imported(wasm.KindGlobal)
	for n, i := range numericGlobals(r.module) {
		r.module.Exports = append(r.module.Exports, wasm.Export{
			Name: ExportGlobal + strconv.Itoa(n), Kind: wasm.KindGlobal, Index: first + uint32(i),
		})
	}
}

func i32s(n int) []wasm.ValueType {
	types := make([]wasm.ValueType, n)
	for i := range types {
		types[i] = wasm.I32
	}
	return types
}

func (r *rewriter) addFunction(typ wasm.FuncType, locals []wasm.Locals, body []byte) {
	m := r.module
	m.Functions = append(m.Functions, r.addType(typ))
	m.Code = append(m.Code, wasm.Code{Locals: locals, Body: body})
}

// write returns an emitter for one of the meter's own functions.
func (r *rewriter) write() *emitter { return &emitter{rewriter: r, analysis: &analysis{}} }

// slowBody calls out.
func (r *rewriter) slowBody() []byte {
	e := r.write()
	return e.global(opGlobalGet, r.count).call(r.index.imports).global(opGlobalSet, r.count).op(opEnd).out
}

// bulkBody charges a size, shifted right, and returns it.
func (r *rewriter) bulkBody(shift int64) []byte {
	e := r.write()
	e.charge(func() { e.size(0, shift) })
	return e.localOp(opLocalGet, 0).op(opEnd).out
}

// size pushes a local of type i32, shifted right, as an i64.
func (e *emitter) size(local uint32, shift int64) {
	e.localOp(opLocalGet, local).op(opI64ExtendI32U)
	if shift > 0 {
		e.i64(shift).op(opI64ShrU)
	}
}

// charge takes the units that push pushes, and looks.
func (e *emitter) charge(push func()) {
	e.global(opGlobalGet, e.count)
	push()
	e.i64(unitShift).op(opI64Shl, opI64Sub).global(opGlobalSet, e.count)
	e.global(opGlobalGet, e.count)
	e.look()
}

// growBody is memory.grow(pages). Pages that cannot be had cost nothing more,
// and are noted: a guest that then gives up has run out of memory.
func (r *rewriter) growBody() []byte {
	e := r.write()
	if !r.grows {
		return e.op(opUnreachable, opEnd).out
	}
	e.localOp(opLocalGet, 0).op(opI32Const).s32(int32(r.limits.MemoryPages)).op(opI32LeU, opIf, blockEmpty)
	e.charge(func() { e.size(0, 0); e.i64(GrowPage).op(opI64Mul) })
	e.op(opEnd)
	e.localOp(opLocalGet, 0).op(opMemoryGrow, 0).localOp(opLocalTee, 0)
	e.op(opI32Const).s32(-1).op(opI32Eq, opIf, blockEmpty).i64(1).global(opGlobalSet, r.denied).op(opEnd)
	return e.localOp(opLocalGet, 0).op(opEnd).out
}

func (e *emitter) s32(v int32) *emitter {
	e.out = wasm.AppendS64(e.out, int64(v))
	return e
}

// fillBody is memory.fill(to, value, size) in chunks. What lies outside the
// memory traps before anything is written, as one instruction would.
func (r *rewriter) fillBody() []byte {
	e := r.write()
	if !r.moves {
		return e.op(opUnreachable, opEnd).out
	}
	const to, value, size, end = 0, 1, 2, 3
	e.chunked(func() {
		e.sum(end, to, size)
		e.inside(end)
	}, func() {
		e.localOp(opLocalGet, to).localOp(opLocalGet, value).op(opI32Const).s32(chunk).op(opBulk, bulkMemoryFill, 0)
		e.advance(to)
		e.retreat(size)
	})
	e.charge(func() { e.size(size, 4) })
	return e.localOp(opLocalGet, to).localOp(opLocalGet, value).localOp(opLocalGet, size).op(opBulk, bulkMemoryFill, 0).op(opEnd).out
}

// copyBody is memory.copy(to, from, size) in chunks: from the front if to lies
// before from, else from the back, so that what overlaps comes out whole.
func (r *rewriter) copyBody() []byte {
	e := r.write()
	if !r.moves {
		return e.op(opUnreachable, opEnd).out
	}
	const to, from, size, end = 0, 1, 2, 3
	rest := func() {
		e.localOp(opLocalGet, to).localOp(opLocalGet, from).localOp(opLocalGet, size).op(opBulk, bulkMemoryCopy, 0, 0)
	}
	e.chunked(func() {
		e.sum(end, to, size)
		e.inside(end)
		e.sum(end, from, size)
		e.inside(end)
	}, func() {
		e.localOp(opLocalGet, to).localOp(opLocalGet, from).op(opI32LeU, opIf, blockEmpty)
		e.localOp(opLocalGet, to).localOp(opLocalGet, from).op(opI32Const).s32(chunk).op(opBulk, bulkMemoryCopy, 0, 0)
		e.advance(to)
		e.advance(from)
		e.op(opElse)
		for _, at := range []uint32{to, from} {
			e.localOp(opLocalGet, at).localOp(opLocalGet, size).op(opI32Add, opI32Const).s32(chunk).op(opI32Sub)
		}
		e.op(opI32Const).s32(chunk).op(opBulk, bulkMemoryCopy, 0, 0)
		e.op(opEnd)
		e.retreat(size)
	})
	e.charge(func() { e.size(size, 4) })
	rest()
	return e.op(opEnd).out
}

// chunked runs one for each whole chunk of local 2, the size, as long as what
// is to be moved lies inside, and charges each before it is moved, so that the
// deadline is looked at in between; the rest is left to what follows. Bounds are
// looked at once, before the first.
func (e *emitter) chunked(bounds, one func()) {
	e.op(opBlock, blockEmpty)
	e.localOp(opLocalGet, 2).op(opI32Const).s32(chunk).op(opI32LeU, opBrIf).u32(0)
	bounds()
	e.op(opLoop, blockEmpty)
	e.charge(func() { e.i64(chunk >> 4) })
	one()
	e.localOp(opLocalGet, 2).op(opI32Const).s32(chunk).op(opI32GtU, opBrIf).u32(0)
	e.op(opEnd, opEnd)
}

// sum sets an i64 local to where a range ends.
func (e *emitter) sum(end, at, size uint32) {
	e.size(at, 0)
	e.size(size, 0)
	e.op(opI64Add).localOp(opLocalSet, end)
}

// inside leaves the chunks if the end lies outside the memory: the whole
// instruction then traps.
func (e *emitter) inside(end uint32) {
	e.localOp(opLocalGet, end)
	e.op(opMemorySize, 0, opI64ExtendI32U).i64(16).op(opI64Shl)
	e.op(opI64GtU, opBrIf).u32(0)
}

func (e *emitter) advance(at uint32) {
	e.localOp(opLocalGet, at).op(opI32Const).s32(chunk).op(opI32Add).localOp(opLocalSet, at)
}

func (e *emitter) retreat(size uint32) {
	e.localOp(opLocalGet, size).op(opI32Const).s32(chunk).op(opI32Sub).localOp(opLocalSet, size)
}
