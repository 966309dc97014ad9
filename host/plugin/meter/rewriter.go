package meter

import (
	"fmt"
	"slices"

	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// rewriter holds a module while it is rewritten. What the meter adds stands
// behind what the module has: only functions shift, by the one import.
type rewriter struct {
	module *wasm.Module
	index  *moduleIndex
	limits Limits

	// The meter's globals.
	count, denied uint32
	slow          uint32 // its functions, as they are called
	bulk          uint32
	bulkTable     uint32
	grow          uint32
	fill, copy    uint32
	types         map[string]uint32 // of what the meter adds
	locals        uint64            // of the functions so far
	// moves: the code has memory.fill or memory.copy. Without them the meter's
	// must not be there: they are a feature that may be off.
	moves bool
	// grows: the code has memory.grow, and so there is a memory.
	grows bool
}

// The meter's own functions, in their order behind the module's.
func newRewriter(m *wasm.Module, limits Limits) *rewriter {
	index := newModuleIndex(m)
	first := index.funcs + 1
	return &rewriter{
		module: m, index: index, limits: limits,
		count: index.globals, denied: index.globals + 1,
		slow: first, bulk: first + 1, bulkTable: first + 2, grow: first + 3, fill: first + 4, copy: first + 5,
		types: map[string]uint32{},
	}
}

// functions rewrites every body.
func (r *rewriter) functions() error {
	for i := range r.module.Code {
		code := &r.module.Code[i]
		if int64(r.module.Functions[i]) >= int64(len(r.index.types)) {
			return refuse("function %d has type %d, which does not exist", i, r.module.Functions[i])
		}
		if err := r.function(code, r.index.types[r.module.Functions[i]]); err != nil {
			return fmt.Errorf("function %d: %w", r.index.imports+uint32(i), err)
		}
	}
	return nil
}

func (r *rewriter) function(code *wasm.Code, typ wasm.FuncType) error {
	locals := uint64(len(typ.Params))
	size := uint64(0)
	for _, group := range code.Locals {
		locals += uint64(group.Count)
		size += uint64(group.Count) * slotSize(group.Type)
	}
	for _, t := range typ.Params {
		size += slotSize(t)
	}
	if r.locals += locals; r.locals > maxAllLocals {
		return refuse("the functions so far have more than %d locals together", maxAllLocals)
	}
	if locals > uint64(r.limits.Locals) {
		return refuse("it has %d locals, and the limit is %d", locals, r.limits.Locals)
	}
	if len(code.Body) > int(r.limits.FunctionSize) {
		return refuse("its code is %d bytes long, and the limit is %d", len(code.Body), r.limits.FunctionSize)
	}
	a, err := analyse(code, r.index, locals, r.limits.Nesting)
	if err != nil {
		return err
	}
	if err := a.compilable(locals); err != nil {
		return err
	}
	e := newEmitter(r, a, typ, uint32(locals))
	if !a.leaf() {
		size += 128 + 8*uint64(len(typ.Results)) + a.held
		e.frame = int64(min(size/stackUnit, uint64(r.limits.Stack)/stackUnit) + 1)
	}
	body, err := e.rewrite(code)
	if err != nil {
		return err
	}
	code.Body = body
	code.Locals = append(slices.Clip(code.Locals), wasm.Locals{Count: ownLocals, Type: wasm.I64})
	return nil
}

func slotSize(t wasm.ValueType) uint64 {
	if t == wasm.V128 {
		return 16
	}
	return 8
}

// addType returns the index of a function type, and adds it if need be.
func (r *rewriter) addType(typ wasm.FuncType) uint32 {
	key := typ.String()
	if i, ok := r.types[key]; ok {
		return i
	}
	i := uint32(len(r.module.Types))
	r.module.Types = append(r.module.Types, typ)
	r.types[key] = i
	return i
}

// bodyType is the type of the block that holds a whole body.
func (r *rewriter) bodyType(results []wasm.ValueType) []byte {
	switch len(results) {
	case 0:
		return []byte{blockEmpty}
	case 1:
		return []byte{byte(results[0])}
	}
	return wasm.AppendS64([]byte(nil), int64(r.addType(wasm.FuncType{Results: results})))
}

// shiftIndices makes room for the meter's import.
func (r *rewriter) shiftIndices() {
	m, shift := r.module, r.index.shift
	for i := range m.Exports {
		if m.Exports[i].Kind == wasm.KindFunc {
			m.Exports[i].Index = shift(m.Exports[i].Index)
		}
	}
	if m.Start != nil {
		start := shift(*m.Start)
		m.Start = &start
	}
	for i := range m.Globals {
		m.Globals[i].Init = m.Globals[i].Init.Funcs(shift)
	}
	for i := range m.Elements {
		e := &m.Elements[i]
		for j := range e.Funcs {
			e.Funcs[j] = shift(e.Funcs[j])
		}
		for j := range e.Exprs {
			e.Exprs[j] = e.Exprs[j].Funcs(shift)
		}
	}
	m.Customs = shiftNames(m.Customs, r.index)
}
