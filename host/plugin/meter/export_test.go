package meter

import (
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// RewriteNaively charges every instruction by itself, right before it: what a
// call costs is then plain to see. It looks at nothing but at loops and entries,
// as the real rewriter does.
func RewriteNaively(file []byte, limits Limits) ([]byte, error) {
	m, err := wasm.Decode(file)
	if err != nil {
		return nil, err
	}
	r := newRewriter(m, limits.withDefaults())
	if err := r.clamp(); err != nil {
		return nil, err
	}
	for i := range m.Code {
		typ := r.index.types[m.Functions[i]]
		if err := r.naively(&m.Code[i], typ); err != nil {
			return nil, err
		}
	}
	r.shiftIndices()
	r.addOwn()
	return m.Encode(), nil
}

func (r *rewriter) naively(code *wasm.Code, typ wasm.FuncType) error {
	locals := uint64(len(typ.Params))
	for _, group := range code.Locals {
		locals += uint64(group.Count)
	}
	a, err := analyse(code, r.index, locals, r.limits.Nesting)
	if err != nil {
		return err
	}
	e := newEmitter(r, &analysis{charges: []charge{{}}, loops: make([]loop, len(a.loops)), calls: 1, units: longRun}, typ, uint32(locals))
	e.frame = 8
	e.body = code.Body
	e.enter()
	e.depth = 1
	e.labels = append(e.labels, label{})
	in, reader := instruction{}, wasm.NewReader(code.Body, 0)
	for len(e.labels) > 0 {
		next(reader, &in)
		e.take(int64(in.cost(r.index)) << unitShift)
		e.instruction(&in)
	}
	code.Body = e.out
	code.Locals = append(code.Locals[:len(code.Locals):len(code.Locals)], wasm.Locals{Count: ownLocals, Type: wasm.I64})
	return reader.Err()
}
