package meter

import "github.com/relayhost/relayhost/host/plugin/wasm"

// The instructions that the rewriter treats on their own or writes itself.
const (
	opUnreachable        = 0x00
	opNop                = 0x01
	opBlock              = 0x02
	opLoop               = 0x03
	opIf                 = 0x04
	opElse               = 0x05
	opEnd                = 0x0b
	opBr                 = 0x0c
	opBrIf               = 0x0d
	opBrTable            = 0x0e
	opReturn             = 0x0f
	opCall               = 0x10
	opCallIndirect       = 0x11
	opReturnCall         = 0x12
	opReturnCallIndirect = 0x13
	opDrop               = 0x1a
	opSelect             = 0x1b
	opSelectTyped        = 0x1c
	opLocalGet           = 0x20
	opLocalSet           = 0x21
	opLocalTee           = 0x22
	opGlobalGet          = 0x23
	opGlobalSet          = 0x24
	opTableSet           = 0x26
	opMemorySize         = 0x3f
	opMemoryGrow         = 0x40
	opI32Const           = 0x41
	opI64Const           = 0x42
	opF32Const           = 0x43
	opF64Const           = 0x44
	opI32Eq              = 0x46
	opI32GtU             = 0x4b
	opI32LeU             = 0x4d
	opI64Eqz             = 0x50
	opI64LtS             = 0x53
	opI64GeS             = 0x59
	opI64GtU             = 0x56
	opI32Add             = 0x6a
	opI32Sub             = 0x6b
	opI64Add             = 0x7c
	opI64Sub             = 0x7d
	opI64Mul             = 0x7e
	opI64And             = 0x83
	opI64Shl             = 0x86
	opI64ShrU            = 0x88
	opI64ExtendI32U      = 0xad
	opRefNull            = 0xd0
	opRefFunc            = 0xd2
	opBulk               = 0xfc
	opSIMD               = 0xfd
	opAtomic             = 0xfe

	bulkMemoryInit = 8
	bulkDataDrop   = 9
	bulkMemoryCopy = 10
	bulkMemoryFill = 11
	bulkTableInit  = 12
	bulkElemDrop   = 13
	bulkTableCopy  = 14
	bulkTableGrow  = 15
	bulkTableSize  = 16
	bulkTableFill  = 17

	simdConst = 12

	blockEmpty = 0x40
)

// instruction is one instruction of a function's body.
type instruction struct {
	op  byte
	sub uint32 // of the prefixes 0xfc, 0xfd and 0xfe
	// index is the immediate of branches, calls, locals, globals and ref.func;
	// the type of call_indirect.
	index uint32
	// block is the type of block, loop and if.
	block int64
	// targets are br_table's, the default last.
	targets []uint32
	// start and end delimit the instruction in the body.
	start, end int
}

// next reads one instruction. What it does not know fails the reader.
func next(r *wasm.Reader, in *instruction) {
	in.targets = in.targets[:0]
	in.start = r.Pos()
	in.op = r.Byte()
	in.sub, in.index, in.block = 0, 0, 0
	switch op := in.op; {
	case op == opBlock || op == opLoop || op == opIf:
		in.block = r.S33()
	case op == opBrTable:
		readTargets(r, in)
	case op == opBr, op == opBrIf, op == opCall, op == opReturnCall, op == opRefFunc,
		op >= opLocalGet && op <= opTableSet:
		in.index = r.U32()
	case op == opCallIndirect || op == opReturnCallIndirect:
		in.index = r.U32()
		r.U32() // the table
	case op == opSelectTyped:
		r.Bytes(r.U32())
	case op >= 0x28 && op <= 0x3e:
		memarg(r)
	case op == opMemorySize, op == opMemoryGrow:
		memory(r)
	case op == opRefNull:
		r.Byte()
	default:
		plain(r, in)
	}
	in.end = r.Pos()
}

func plain(r *wasm.Reader, in *instruction) {
	switch op := in.op; {
	case op == opI32Const:
		r.S32()
	case op == opI64Const:
		r.S64()
	case op == opF32Const:
		r.Bytes(4)
	case op == opF64Const:
		r.Bytes(8)
	case op == opBulk:
		readBulk(r, in)
	case op == opSIMD:
		readSIMD(r, in)
	case op == opAtomic:
		readAtomic(r, in)
	case op == opUnreachable, op == opNop, op == opElse, op == opEnd, op == opReturn,
		op == opDrop, op == 0x1b, op >= 0x45 && op <= 0xc4, op == 0xd1:
	default:
		r.Fail(wasm.ErrUnsupported, "instruction 0x%02x is not known", op)
	}
}

func readTargets(r *wasm.Reader, in *instruction) {
	n := r.U32()
	if uint64(n) > uint64(r.Len()) {
		r.Fail(wasm.ErrTruncated, "br_table declares %d targets in %d bytes", n, r.Len())
		return
	}
	for range n + 1 {
		in.targets = append(in.targets, r.U32())
	}
}

// memory reads the index of a memory, of which there is one.
func memory(r *wasm.Reader) {
	if r.Byte() != 0 {
		r.Fail(wasm.ErrMalformed, "a zero byte is expected")
	}
}

// memarg refuses what multiple and 64-bit memories add to it.
func memarg(r *wasm.Reader) {
	if align := r.U32(); align >= 64 {
		r.Fail(wasm.ErrUnsupported, "a memory instruction names a memory")
	}
	r.U32()
}

func readBulk(r *wasm.Reader, in *instruction) {
	in.sub = r.U32()
	switch sub := in.sub; {
	case sub < 8: // saturating conversions
	case sub == bulkMemoryInit:
		r.U32()
		memory(r)
	case sub == bulkMemoryCopy:
		memory(r)
		memory(r)
	case sub == bulkMemoryFill:
		memory(r)
	case sub == bulkTableInit, sub == bulkTableCopy:
		r.U32()
		r.U32()
	case sub == bulkDataDrop, sub == bulkElemDrop, sub >= bulkTableGrow && sub <= bulkTableFill:
		r.U32()
	default:
		r.Fail(wasm.ErrUnsupported, "instruction 0xfc %d is not known", sub)
	}
}

func readSIMD(r *wasm.Reader, in *instruction) {
	in.sub = r.U32()
	switch sub := in.sub; {
	case sub <= 11, sub == 92, sub == 93:
		memarg(r)
	case sub == 12, sub == 13:
		r.Bytes(16)
	case sub >= 21 && sub <= 34:
		r.Byte()
	case sub >= 84 && sub <= 91:
		memarg(r)
		r.Byte()
	case sub > 255:
		r.Fail(wasm.ErrUnsupported, "instruction 0xfd %d is not known", sub)
	}
}

func readAtomic(r *wasm.Reader, in *instruction) {
	in.sub = r.U32()
	switch sub := in.sub; {
	case sub == 0, sub >= 0x10 && sub <= 0x4e:
		memarg(r)
	case sub == 3:
		r.Byte()
	case sub == 1 || sub == 2:
		r.Fail(wasm.ErrUnsupported, "an atomic wait could not be ended")
	default:
		r.Fail(wasm.ErrUnsupported, "instruction 0xfe %d is not known", sub)
	}
}

// cost is what an instruction costs by itself, in units. Bulk instructions and
// memory.grow cost more, by their size.
func (in *instruction) cost(m *moduleIndex) uint64 {
	switch in.op {
	case opBlock, opLoop, opEnd, opElse, opNop:
		return 0
	case opCall, opReturnCall:
		if in.index < m.imports {
			return HostCall
		}
	case opCallIndirect, opReturnCallIndirect:
		if m.indirectImports {
			return HostCall
		}
	}
	return 1
}

// ends reports whether what follows the instruction is not reached from it.
func (in *instruction) ends() bool {
	switch in.op {
	case opUnreachable, opBr, opBrTable, opReturn, opReturnCall, opReturnCallIndirect:
		return true
	}
	return false
}

// calls reports whether the instruction runs other code, which counts in the
// global.
func (in *instruction) calls() bool {
	switch in.op {
	case opCall, opCallIndirect, opReturnCall, opReturnCallIndirect, opMemoryGrow:
		return true
	case opBulk:
		return in.sub >= bulkMemoryInit && in.sub != bulkDataDrop && in.sub != bulkElemDrop && in.sub != bulkTableSize
	}
	return false
}
