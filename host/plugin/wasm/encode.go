package wasm

import "encoding/binary"

// AppendU32 appends v in LEB128.
func AppendU32[T ~[]byte](b T, v uint32) T { return binary.AppendUvarint(b, uint64(v)) }

// AppendS64 appends v in signed LEB128, which is also how a smaller signed
// integer is written.
func AppendS64[T ~[]byte](b T, v int64) T {
	for v < -64 || v > 63 {
		b = append(b, byte(v)|0x80) //nolint:gosec // the low 7 bits are meant
		v >>= 7
	}
	return append(b, byte(v)&0x7f) //nolint:gosec // the low 7 bits are meant
}

func appendName(b []byte, name string) []byte {
	return append(AppendU32(b, uint32(len(name))), name...) //nolint:gosec // a module has at most 4 GiB
}

func appendVector[T any](b []byte, v []T, item func([]byte, T) []byte) []byte {
	b = AppendU32(b, uint32(len(v))) //nolint:gosec // a module has at most 4 GiB
	for i := range v {
		b = item(b, v[i])
	}
	return b
}

// Encode returns the module as a file, with every integer in its shortest form.
func (m *Module) Encode() []byte {
	b := append(append([]byte(nil), magic...), version...)
	b = m.appendCustoms(b, sectionCustom)
	for _, s := range []struct {
		id      byte
		present bool
		content func() []byte
	}{
		{sectionType, len(m.Types) > 0, func() []byte { return appendVector(nil, m.Types, appendFuncType) }},
		{sectionImport, len(m.Imports) > 0, func() []byte { return appendVector(nil, m.Imports, appendImport) }},
		{sectionFunction, len(m.Functions) > 0, func() []byte { return appendVector(nil, m.Functions, AppendU32) }},
		{sectionTable, len(m.Tables) > 0, func() []byte { return appendVector(nil, m.Tables, appendTableType) }},
		{sectionMemory, len(m.Memories) > 0, func() []byte { return appendVector(nil, m.Memories, appendLimits) }},
		{sectionGlobal, len(m.Globals) > 0, func() []byte { return appendVector(nil, m.Globals, appendGlobal) }},
		{sectionExport, len(m.Exports) > 0, func() []byte { return appendVector(nil, m.Exports, appendExport) }},
		{sectionStart, m.Start != nil, func() []byte { return AppendU32([]byte(nil), *m.Start) }},
		{sectionElement, len(m.Elements) > 0, func() []byte { return appendVector(nil, m.Elements, appendElement) }},
		{sectionDataCount, m.DataCount != nil, func() []byte { return AppendU32([]byte(nil), *m.DataCount) }},
		{sectionCode, len(m.Code) > 0, func() []byte { return appendVector(nil, m.Code, appendCode) }},
		{sectionData, len(m.Data) > 0, func() []byte { return appendVector(nil, m.Data, appendData) }},
	} {
		if s.present {
			b = appendSection(b, s.id, s.content())
		}
		b = m.appendCustoms(b, s.id)
	}
	return b
}

func appendSection(b []byte, id byte, content []byte) []byte {
	b = AppendU32(append(b, id), uint32(len(content))) //nolint:gosec // a module has at most 4 GiB
	return append(b, content...)
}

func (m *Module) appendCustoms(b []byte, after byte) []byte {
	for _, c := range m.Customs {
		if c.After == after {
			b = appendSection(b, sectionCustom, append(appendName(nil, c.Name), c.Content...))
		}
	}
	return b
}

func appendValueType(b []byte, t ValueType) []byte { return append(b, byte(t)) }

func appendFuncType(b []byte, t FuncType) []byte {
	b = appendVector(append(b, 0x60), t.Params, appendValueType)
	return appendVector(b, t.Results, appendValueType)
}

func appendImport(b []byte, i Import) []byte {
	b = append(appendName(appendName(b, i.Module), i.Name), byte(i.Kind))
	switch i.Kind {
	case KindFunc:
		return AppendU32(b, i.Func)
	case KindTable:
		return appendTableType(b, i.Table)
	case KindMemory:
		return appendLimits(b, i.Memory)
	}
	return appendGlobalType(b, i.Global)
}

func appendTableType(b []byte, t TableType) []byte {
	return appendLimits(append(b, byte(t.Type)), t.Limits)
}

func appendLimits(b []byte, l Limits) []byte {
	b = append(b, bit(l.HasMax, 1)|bit(l.Shared, 2)|bit(l.Is64, 4))
	b = binary.AppendUvarint(b, l.Min)
	if l.HasMax {
		b = binary.AppendUvarint(b, l.Max)
	}
	return b
}

func bit(set bool, v byte) byte {
	if set {
		return v
	}
	return 0
}

func appendGlobalType(b []byte, t GlobalType) []byte {
	return append(b, byte(t.Type), bit(t.Mutable, 1))
}

func appendGlobal(b []byte, g Global) []byte {
	return append(appendGlobalType(b, g.Type), g.Init...)
}

func appendExport(b []byte, e Export) []byte {
	return AppendU32(append(appendName(b, e.Name), byte(e.Kind)), e.Index)
}

func appendElement(b []byte, e Element) []byte {
	form := e.form()
	b = append(b, form)
	if e.Mode == Active {
		if form&formTableOrDecl != 0 {
			b = AppendU32(b, e.Table)
		}
		b = append(b, e.Offset...)
	}
	if form&(formNotActive|formTableOrDecl) != 0 {
		if form&formExprs != 0 {
			b = append(b, byte(e.Type))
		} else {
			b = append(b, 0)
		}
	}
	if form&formExprs != 0 {
		return appendVector(b, e.Exprs, func(b []byte, x Expr) []byte { return append(b, x...) })
	}
	return appendVector(b, e.Funcs, AppendU32)
}

func (e *Element) form() byte {
	form := bit(e.Mode != Active, formNotActive) | bit(e.Exprs != nil, formExprs)
	explicit := e.Mode == Active && (e.Table != 0 || e.Type != FuncRef)
	return form | bit(explicit || e.Mode == Declarative, formTableOrDecl)
}

func appendData(b []byte, d Data) []byte {
	switch {
	case d.Mode == Passive:
		b = append(b, 1)
	case d.Memory != 0:
		b = append(AppendU32(append(b, 2), d.Memory), d.Offset...)
	default:
		b = append(append(b, 0), d.Offset...)
	}
	return append(AppendU32(b, uint32(len(d.Init))), d.Init...) //nolint:gosec // a module has at most 4 GiB
}

func appendCode(b []byte, c Code) []byte {
	locals := appendVector(nil, c.Locals, func(b []byte, l Locals) []byte {
		return append(AppendU32(b, l.Count), byte(l.Type))
	})
	b = AppendU32(b, uint32(len(locals)+len(c.Body))) //nolint:gosec // a module has at most 4 GiB
	return append(append(b, locals...), c.Body...)
}
