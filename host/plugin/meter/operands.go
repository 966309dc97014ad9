package meter

import "github.com/relayhost/relayhost/host/plugin/wasm"

// operands follows how many values lie on the operand stack, so that a
// function's frame is known: what lies there during a call, the engine keeps in
// the frame. Where it does not know better it counts too many.
type operands struct {
	index  *moduleIndex
	height int
	blocks []operandBlock
	// held is the most values that lie below the arguments of a call, and passed
	// the most that a call takes and gives.
	held, passed int
	wide         bool // some may be vectors
}

// operandBlock is an open block: how many values lie below it, and how many it
// takes and leaves.
type operandBlock struct{ below, params, results int }

func newOperands(index *moduleIndex) *operands {
	return &operands{index: index, blocks: []operandBlock{{}}}
}

// size is an upper estimate, in bytes, of what calls keep in the frame.
func (o *operands) size() uint64 {
	size := uint64(8)
	if o.wide {
		size = 16
	}
	return size * uint64(o.held+o.passed)
}

// step follows one instruction; alive says whether it is reached.
func (o *operands) step(in *instruction, alive bool) {
	switch in.op {
	case opBlock, opLoop, opIf:
		if in.op == opIf && alive {
			o.add(-1)
		}
		b := o.index.blockShape(in.block)
		b.below = max(o.height-b.params, 0)
		o.blocks = append(o.blocks, b)
	case opElse:
		b := o.blocks[len(o.blocks)-1]
		o.height = b.below + b.params
	case opEnd:
		b := o.blocks[len(o.blocks)-1]
		o.blocks = o.blocks[:len(o.blocks)-1]
		o.height = b.below + b.results
	default:
		if alive {
			o.instruction(in)
		}
	}
}

func (o *operands) instruction(in *instruction) {
	switch in.op {
	case opCall, opReturnCall:
		o.call(o.index.functionShape(in.index))
	case opCallIndirect, opReturnCallIndirect:
		o.add(-1)
		o.call(o.index.types[in.index])
	case opMemoryGrow:
		o.held = max(o.held, o.height)
	case opBulk:
		o.held = max(o.held, o.height)
		o.add(in.bulkDelta())
	case opSIMD:
		o.wide = true
		if in.sub == simdConst {
			o.add(1)
		}
	default:
		o.add(in.delta())
	}
}

// call takes a call's arguments, notes what lies below, and adds its results.
func (o *operands) call(typ wasm.FuncType) {
	o.add(-len(typ.Params))
	o.held = max(o.held, o.height)
	o.passed = max(o.passed, len(typ.Params)+len(typ.Results))
	o.add(len(typ.Results))
}

func (o *operands) add(n int) { o.height = max(o.height+n, 0) }

// delta is by how many values a plain instruction changes the stack.
func (in *instruction) delta() int {
	switch op := in.op; {
	case op == opLocalGet, op == opGlobalGet, op == opMemorySize, op == opRefNull, op == opRefFunc,
		op >= opI32Const && op <= opF64Const:
		return 1
	case op == opDrop, op == opLocalSet, op == opGlobalSet, op == opBrIf, op == opBrTable:
		return -1
	case op == opSelect, op == opSelectTyped, op == opTableSet, op >= 0x36 && op <= 0x3e: // stores
		return -2
	case binary(op):
		return -1
	}
	return 0
}

// binary reports whether a numeric instruction takes two values.
func binary(op byte) bool {
	switch {
	case op >= 0x46 && op <= 0x4f, op >= 0x51 && op <= 0x66, // comparisons
		op >= 0x6a && op <= 0x78, op >= 0x7c && op <= 0x8a, // of integers
		op >= 0x92 && op <= 0x98, op >= 0xa0 && op <= 0xa6: // of floats
		return true
	}
	return false
}

func (in *instruction) bulkDelta() int {
	switch in.sub {
	case bulkMemoryInit, bulkMemoryCopy, bulkMemoryFill, bulkTableInit, bulkTableCopy, bulkTableFill:
		return -3
	case bulkTableGrow:
		return -1
	case bulkTableSize:
		return 1
	}
	return 0
}
