package meter

import (
	"slices"

	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// moduleIndex is how many of each thing the module has of its own, before the
// meter adds to it. An index beyond would reach the meter's own.
type moduleIndex struct {
	types   []wasm.FuncType
	own     []uint32 // the type of each function, the imports first
	imports uint32   // imported functions
	funcs   uint32
	globals uint32
	// indirectImports: an imported function can be called through a table.
	indirectImports bool
}

func newModuleIndex(m *wasm.Module) *moduleIndex {
	imports := m.Imported(wasm.KindFunc)
	return &moduleIndex{
		types:   slices.Clip(m.Types),
		own:     functionTypes(m),
		imports: imports,
		funcs:   imports + uint32(len(m.Functions)),
		globals: m.Imported(wasm.KindGlobal) + uint32(len(m.Globals)),

		indirectImports: indirectImports(m, imports),
	}
}

// indirectImports reports whether a reference to an imported function can come
// to lie in a table: from a segment or a global, or by ref.func, which wants the
// function named in one of these or exported.
func indirectImports(m *wasm.Module, imports uint32) (found bool) {
	see := func(f uint32) uint32 {
		found = found || f < imports
		return f
	}
	for i := range m.Elements {
		for _, f := range m.Elements[i].Funcs {
			see(f)
		}
		for _, e := range m.Elements[i].Exprs {
			e.Funcs(see)
		}
	}
	for i := range m.Globals {
		m.Globals[i].Init.Funcs(see)
	}
	for _, e := range m.Exports {
		if e.Kind == wasm.KindFunc {
			see(e.Index)
		}
	}
	return found
}

func functionTypes(m *wasm.Module) (types []uint32) {
	for i := range m.Imports {
		if m.Imports[i].Kind == wasm.KindFunc {
			types = append(types, m.Imports[i].Func)
		}
	}
	return append(types, m.Functions...)
}

// functionShape is the type of a function that there is.
func (m *moduleIndex) functionShape(f uint32) wasm.FuncType {
	if t := m.own[f]; int64(t) < int64(len(m.types)) {
		return m.types[t]
	}
	return wasm.FuncType{} // not valid, which is found elsewhere
}

// blockShape is how many values a block takes and leaves.
func (m *moduleIndex) blockShape(block int64) operandBlock {
	switch {
	case block == blockEmpty-0x80:
		return operandBlock{}
	case block < 0:
		return operandBlock{results: 1}
	}
	return operandBlock{params: len(m.types[block].Params), results: len(m.types[block].Results)}
}

// check fails the reader for an index that the module has nothing for.
func (m *moduleIndex) check(r *wasm.Reader, in *instruction, locals uint64) {
	var (
		what string
		most uint64
	)
	switch in.op {
	case opCall, opReturnCall, opRefFunc:
		what, most = "function", uint64(m.funcs)
	case opCallIndirect, opReturnCallIndirect:
		what, most = "type", uint64(len(m.types))
	case opLocalGet, opLocalSet, opLocalTee:
		what, most = "local", locals
	case opGlobalGet, opGlobalSet:
		what, most = "global", uint64(m.globals)
	case opBlock, opLoop, opIf:
		if in.block >= 0 && in.block >= int64(len(m.types)) {
			r.Fail(wasm.ErrMalformed, "there is no type %d", in.block)
		}
		return
	default:
		return
	}
	if uint64(in.index) >= most {
		r.Fail(wasm.ErrMalformed, "there is no %s %d", what, in.index)
	}
}

// noParams reports whether a block of this type takes no parameters.
func (m *moduleIndex) noParams(block int64) bool {
	return block < 0 || block < int64(len(m.types)) && len(m.types[block].Params) == 0
}

// shift is a function's index once the meter's import is there.
func (m *moduleIndex) shift(f uint32) uint32 {
	if f < m.imports {
		return f
	}
	return f + 1
}

// checkModule fails for an index outside of code that the module has nothing
// for.
func (m *moduleIndex) checkModule(module *wasm.Module) error {
	for _, i := range module.Imports {
		if i.Kind == wasm.KindFunc && int64(i.Func) >= int64(len(m.types)) {
			return refuse("import %.80q has type %d, which does not exist", i.Name, i.Func)
		}
	}
	for _, e := range module.Exports {
		if e.Kind == wasm.KindFunc && e.Index >= m.funcs || e.Kind == wasm.KindGlobal && e.Index >= m.globals {
			return refuse("export %.80q is %v %d, which does not exist", e.Name, e.Kind, e.Index)
		}
	}
	if module.Start != nil && *module.Start >= m.funcs {
		return refuse("the start function is %d, which does not exist", *module.Start)
	}
	return m.checkInitializers(module)
}

func (m *moduleIndex) checkInitializers(module *wasm.Module) error {
	for i := range module.Globals {
		if err := m.checkExprs(module.Globals[i].Init); err != nil {
			return err
		}
	}
	for i := range module.Data {
		if err := m.checkExprs(module.Data[i].Offset); err != nil {
			return err
		}
	}
	for i := range module.Elements {
		if err := m.checkElement(&module.Elements[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m *moduleIndex) checkElement(e *wasm.Element) error {
	for _, f := range e.Funcs {
		if f >= m.funcs {
			return refuse("an element segment has function %d, which does not exist", f)
		}
	}
	return m.checkExprs(append(slices.Clip(e.Exprs), e.Offset)...)
}

func (m *moduleIndex) checkExprs(exprs ...wasm.Expr) error {
	var in instruction
	for _, e := range exprs {
		r := wasm.NewReader(e, 0)
		for r.Len() > 0 && r.Err() == nil {
			next(r, &in)
			m.check(r, &in, 0)
		}
		if err := r.Err(); err != nil {
			return err
		}
	}
	return nil
}
