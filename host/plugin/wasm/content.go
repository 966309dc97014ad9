package wasm

func readValueType(r *Reader) ValueType {
	t := ValueType(r.Byte())
	switch t {
	case I32, I64, F32, F64, V128, FuncRef, ExternRef:
	case 0x63, 0x64:
		r.Fail(ErrUnsupported, "typed references")
	case 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x71, 0x72, 0x73, 0x74:
		r.Fail(ErrUnsupported, "value type 0x%02x", byte(t))
	default:
		r.Fail(ErrMalformed, "value type 0x%02x is unknown", byte(t))
	}
	return t
}

func readRefType(r *Reader) ValueType {
	t := readValueType(r)
	if r.err == nil && t != FuncRef && t != ExternRef {
		r.Fail(ErrMalformed, "%v is no reference type", t)
	}
	return t
}

func readFuncType(r *Reader) FuncType {
	switch form := r.Byte(); form {
	case 0x60:
	case 0x4d, 0x4e, 0x4f, 0x50, 0x5e, 0x5f:
		r.Fail(ErrUnsupported, "type form 0x%02x of garbage collection", form)
	default:
		r.Fail(ErrMalformed, "type form 0x%02x is unknown", form)
	}
	return FuncType{
		Params:  vector(r, "parameters", 1, readValueType),
		Results: vector(r, "results", 1, readValueType),
	}
}

func readImport(r *Reader) Import {
	i := Import{Module: r.Name(), Name: r.Name(), Kind: readKind(r)}
	if r.err != nil {
		return i
	}
	switch i.Kind {
	case KindFunc:
		i.Func = r.U32()
	case KindTable:
		i.Table = readTableType(r)
	case KindMemory:
		i.Memory = readLimits(r)
	case KindGlobal:
		i.Global = readGlobalType(r)
	}
	return i
}

func readKind(r *Reader) Kind {
	k := Kind(r.Byte())
	switch {
	case k == 4:
		r.Fail(ErrUnsupported, "exception tags")
	case k > KindGlobal:
		r.Fail(ErrMalformed, "kind %d is unknown", byte(k))
	}
	return k
}

func readTableType(r *Reader) TableType {
	if r.Len() > 0 && r.b[r.pos] == 0x40 {
		r.Fail(ErrUnsupported, "a table with an initializer")
	}
	return TableType{Type: readRefType(r), Limits: readLimits(r)}
}

func readLimits(r *Reader) Limits {
	flags := r.Byte()
	if flags > 7 {
		r.Fail(ErrMalformed, "limits of form 0x%02x are unknown", flags)
	}
	l := Limits{HasMax: flags&1 != 0, Shared: flags&2 != 0, Is64: flags&4 != 0}
	l.Min = l.bound(r)
	if l.HasMax {
		l.Max = l.bound(r)
	}
	return l
}

func (l Limits) bound(r *Reader) uint64 {
	if l.Is64 {
		return r.U64()
	}
	return uint64(r.U32())
}

func readGlobalType(r *Reader) GlobalType {
	t := readValueType(r)
	mutable := r.Byte()
	if mutable > 1 {
		r.Fail(ErrMalformed, "mutability %d is unknown", mutable)
	}
	return GlobalType{Type: t, Mutable: mutable == 1}
}

func readGlobal(r *Reader) Global {
	return Global{Type: readGlobalType(r), Init: readExpr(r)}
}

func readExport(r *Reader) Export {
	return Export{Name: r.Name(), Kind: readKind(r), Index: r.U32()}
}

// The bits of an element segment's form.
const (
	formNotActive   = 1 << iota
	formTableOrDecl // an explicit table if active, else declarative
	formExprs
)

func readElement(r *Reader) Element {
	form := r.U32()
	if form > 7 {
		r.Fail(ErrMalformed, "an element segment of form %d is unknown", form)
	}
	e := Element{Type: FuncRef}
	switch {
	case form&formNotActive == 0:
		if form&formTableOrDecl != 0 {
			e.Table = r.U32()
		}
		e.Offset = readExpr(r)
	case form&formTableOrDecl == 0:
		e.Mode = Passive
	default:
		e.Mode = Declarative
	}
	e.readItems(r, form&(formNotActive|formTableOrDecl) != 0, form&formExprs != 0)
	return e
}

func (e *Element) readItems(r *Reader, typed, exprs bool) {
	switch {
	case typed && exprs:
		e.Type = readRefType(r)
	case typed:
		if kind := r.Byte(); kind != 0 {
			r.Fail(ErrMalformed, "element kind %d is unknown", kind)
		}
	}
	if exprs {
		e.Exprs = vector(r, "elements", 2, readExpr)
		if e.Exprs == nil {
			e.Exprs = []Expr{} // an empty segment keeps its form
		}
		return
	}
	e.Funcs = vector(r, "elements", 1, (*Reader).U32)
}

func readData(r *Reader) Data {
	var d Data
	switch form := r.U32(); form {
	case 0:
		d.Offset = readExpr(r)
	case 1:
		d.Mode = Passive
	case 2:
		d.Memory = r.U32()
		d.Offset = readExpr(r)
	default:
		r.Fail(ErrMalformed, "a data segment of form %d is unknown", form)
	}
	d.Init = r.Bytes(r.U32())
	return d
}

func readCode(r *Reader) Code {
	size := r.U32()
	offset := r.Offset()
	body := NewReader(r.Bytes(size), offset)
	c := Code{Locals: vector(body, "locals", 2, readLocals)}
	c.check(body)
	c.Offset = body.Offset()
	c.Body = body.rest()
	if body.err != nil && r.err == nil {
		r.err, r.pos = body.err, len(r.b)
	}
	return c
}

func (c *Code) check(r *Reader) {
	var locals uint64
	for _, l := range c.Locals {
		locals += uint64(l.Count)
	}
	if locals > maxLocals {
		r.Fail(ErrMalformed, "a function has %d locals, more than %d", locals, maxLocals)
	}
	if r.err == nil && (r.Len() == 0 || r.b[len(r.b)-1] != opEnd) {
		r.Fail(ErrMalformed, "a function does not end with an end")
	}
}

func readLocals(r *Reader) Locals {
	return Locals{Count: r.U32(), Type: readValueType(r)}
}
