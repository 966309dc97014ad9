package meter

import (
	"fmt"

	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// Info is what a host needs to know of a module that is to bring its instances
// back to an earlier state.
type Info struct {
	// Globals is how many mutable globals of a numeric type the module has. With
	// [Limits.ExportGlobals] they are exported as [ExportGlobal] and a number
	// from 0 on, in the module's order.
	Globals int
	// Why says what state the module has beside its memory and those globals,
	// "" if there is none: then whoever puts these back, and the meter's own,
	// has the instance as it was.
	Why string
}

// Restorable reports whether memory and numeric globals are all the state that
// an instance has.
func (i Info) Restorable() bool { return i.Why == "" }

// Inspect tells of a module what its state consists of. It reads the module as
// it is before [Rewrite].
func Inspect(file []byte) (Info, error) {
	m, err := wasm.Decode(file)
	if err != nil {
		return Info{}, err
	}
	info := Info{Globals: len(numericGlobals(m))}
	if info.Why = foreignState(m); info.Why != "" {
		return info, nil
	}
	for i := range m.Code {
		what, err := codeState(&m.Code[i])
		if err != nil {
			return Info{}, fmt.Errorf("function %d: %w", m.Imported(wasm.KindFunc)+uint32(i), err)
		}
		if what != "" {
			info.Why = fmt.Sprintf("function %d has %s", m.Imported(wasm.KindFunc)+uint32(i), what)
			break
		}
	}
	return info, nil
}

// numericGlobals are the mutable globals that a host can read and set, as
// indices into m.Globals.
func numericGlobals(m *wasm.Module) (found []int) {
	for i := range m.Globals {
		if t := m.Globals[i].Type; t.Mutable && numeric(t.Type) {
			found = append(found, i)
		}
	}
	return found
}

func numeric(t wasm.ValueType) bool {
	switch t {
	case wasm.I32, wasm.I64, wasm.F32, wasm.F64:
		return true
	}
	return false
}

// foreignState names state outside of code that a host cannot put back.
func foreignState(m *wasm.Module) string {
	for _, i := range m.Imports {
		if i.Kind == wasm.KindMemory || i.Kind == wasm.KindTable || i.Kind == wasm.KindGlobal && i.Global.Mutable {
			return fmt.Sprintf("it imports the %v %.80q", i.Kind, i.Name)
		}
	}
	for i := range m.Globals {
		if t := m.Globals[i].Type; t.Mutable && !numeric(t.Type) {
			return fmt.Sprintf("its global %d is a mutable %v", int(m.Imported(wasm.KindGlobal))+i, t.Type)
		}
	}
	return ""
}

// codeState names the first instruction that changes a table or drops a segment.
func codeState(code *wasm.Code) (string, error) {
	r := wasm.NewReader(code.Body, code.Offset)
	var in instruction
	for r.Len() > 0 && r.Err() == nil {
		next(r, &in)
		if what := in.changes(); what != "" && r.Err() == nil {
			return what, nil
		}
	}
	return "", r.Err()
}

// changes names an instruction that changes a table or drops a segment.
func (in *instruction) changes() string {
	switch in.op {
	case opTableSet:
		return "table.set"
	case opBulk:
		return map[uint32]string{
			bulkDataDrop: "data.drop", bulkElemDrop: "elem.drop", bulkTableInit: "table.init",
			bulkTableCopy: "table.copy", bulkTableGrow: "table.grow", bulkTableFill: "table.fill",
		}[in.sub]
	}
	return ""
}
