package wasm

// The instructions of constant expressions.
const (
	opEnd       = 0x0b
	opGlobalGet = 0x23
	opI32Const  = 0x41
	opI64Const  = 0x42
	opF32Const  = 0x43
	opF64Const  = 0x44
	opI32Add    = 0x6a
	opI32Sub    = 0x6b
	opI32Mul    = 0x6c
	opI64Add    = 0x7c
	opI64Sub    = 0x7d
	opI64Mul    = 0x7e
	opRefNull   = 0xd0
	opRefFunc   = 0xd2
	opSIMD      = 0xfd
	opV128Const = 12
)

// readExpr reads a constant expression as bytes. It knows the instructions, not
// whether they make sense.
func readExpr(r *Reader) Expr {
	start := r.pos
	for r.err == nil {
		if skipConst(r) {
			return r.b[start:r.pos:r.pos]
		}
	}
	return nil
}

// skipConst reads one instruction and reports whether it was the last end.
func skipConst(r *Reader) bool {
	switch op := r.Byte(); op {
	case opEnd:
		return r.err == nil
	case opGlobalGet, opRefFunc:
		r.U32()
	case opI32Const:
		r.S32()
	case opI64Const:
		r.S64()
	case opF32Const:
		r.Bytes(4)
	case opF64Const:
		r.Bytes(8)
	case opRefNull:
		readRefType(r)
	case opSIMD:
		if sub := r.U32(); sub != opV128Const {
			r.Fail(ErrMalformed, "instruction 0xfd %d is not constant", sub)
		}
		r.Bytes(16)
	case opI32Add, opI32Sub, opI32Mul, opI64Add, opI64Sub, opI64Mul:
	default:
		r.Fail(ErrMalformed, "instruction 0x%02x is not constant", op)
	}
	return false
}

// Funcs calls f with every function that the expression refers to, and returns
// the expression with f's answers in their place.
func (e Expr) Funcs(f func(uint32) uint32) Expr {
	r := NewReader(e, 0)
	var out Expr
	for r.Len() > 0 {
		start := r.pos
		if e[start] != opRefFunc {
			skipConst(r)
			out = append(out, e[start:r.pos]...)
			continue
		}
		r.pos++
		out = AppendU32(append(out, opRefFunc), f(r.U32()))
	}
	return out
}
