package plugin

import (
	"errors"
	"math"
	"slices"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/plugin/meter"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// maxName is where a name is cut, in bytes, and maxType a function's type.
const maxName, maxType = 80, 200

// Inspect looks at a module as a pipeline with these settings would get it. It
// neither runs nor compiles it: of what [Engine.Load] would refuse, Problems
// has what can be seen without that. The error says that the host itself is to
// blame.
func Inspect(file []byte, settings Settings) (*Inspection, error) {
	found := &Inspection{
		Digest:   "sha256:" + Digest(file),
		Bytes:    len(file),
		Problems: []string{},
		Limits:   settings.Limits.WithDefaults().values(),
	}
	if err := verifyStatically(file, &settings); err != nil {
		refusal, ok := errors.AsType[*Refusal](err)
		if !ok {
			return nil, err
		}
		found.Problems, found.Hint = refusal.Problems, refusal.Hint
	}
	if module, err := wasm.Decode(file); err == nil {
		found.Module = content(module)
	}
	return found, nil
}

// verifyStatically is all of Load that comes before the compiler.
func verifyStatically(file []byte, settings *Settings) error {
	if err := Verify("", file, Requirements{Batch: settings.NeedBatch, Limits: settings.Limits}); err != nil {
		return err
	}
	limits := settings.Limits.WithDefaults()
	if _, err := meter.Rewrite(file, limits.meter()); err != nil {
		return &Refusal{Problems: []string{"it cannot be metered: " + printable(err.Error(), maxReason)}}
	}
	return nil
}

func content(m *wasm.Module) *Content {
	others := slices.DeleteFunc(slices.Clone(m.Exports), func(e wasm.Export) bool { return isABI(e.Name) })
	c := &Content{
		Handlers:  []string{},
		Exports:   listed(others, func(e *wasm.Export) Extern { return exportOf(m, e) }),
		Imports:   listed(m.Imports, func(i *wasm.Import) Extern { return importOf(m, i) }),
		Memories:  listed(m.Memories, memorySize),
		Tables:    listed(m.Tables, tableSize),
		Functions: len(m.Code),
		Globals:   len(m.Globals),
		Producers: producers(m),
		Sections:  listed(m.Customs, sectionOf),
	}
	c.findHandlers(m)
	c.measure(m)
	return c
}

func (c *Content) findHandlers(m *wasm.Module) {
	for _, e := range exportTypes {
		export, ok := m.Export(e.name)
		switch {
		case !ok || export.Kind != wasm.KindFunc || e.name == abi.ExportBuffer:
		case e.name == abi.ExportMarker:
			c.ABI = 1
		default:
			c.Handlers = append(c.Handlers, e.name)
		}
	}
}

func (c *Content) measure(m *wasm.Module) {
	for i := range m.Code {
		size := len(m.Code[i].Body)
		c.Code += size
		c.LargestFunction = max(c.LargestFunction, size)
	}
	for i := range m.Data {
		c.Data += len(m.Data[i].Init)
	}
}

// isABI reports whether an export is one that abi/SPEC.md gives a meaning.
func isABI(name string) bool {
	for i := range exportTypes {
		if exportTypes[i].name == name {
			return true
		}
	}
	return name == abi.ExportMemory
}

func importOf(m *wasm.Module, i *wasm.Import) Extern {
	e := Extern{Module: printable(i.Module, maxName), Name: printable(i.Name, maxName), Kind: i.Kind.String()}
	if i.Kind == wasm.KindFunc && int64(i.Func) < int64(len(m.Types)) {
		e.Type = funcType(m.Types[i.Func])
	}
	return e
}

func exportOf(m *wasm.Module, x *wasm.Export) Extern {
	e := Extern{Name: printable(x.Name, maxName), Kind: x.Kind.String()}
	if x.Kind == wasm.KindFunc {
		if t, ok := m.FuncType(x.Index); ok {
			e.Type = funcType(t)
		}
	}
	return e
}

func funcType(t wasm.FuncType) string { return printable(t.String(), maxType) }

func memorySize(l *wasm.Limits) MemorySize {
	s := MemorySize{MinPages: l.Min, MinBytes: pageBytes(l.Min)}
	if l.HasMax {
		s.MaxPages, s.MaxBytes = new(l.Max), new(pageBytes(l.Max))
	}
	return s
}

// pageBytes stops at the largest number: a 64-bit memory may declare any.
func pageBytes(pages uint64) uint64 {
	if pages > math.MaxUint64>>pageBits {
		return math.MaxUint64
	}
	return pages << pageBits
}

func tableSize(t *wasm.TableType) TableSize {
	s := TableSize{Type: t.Type.String(), Min: t.Limits.Min}
	if t.Limits.HasMax {
		s.Max = new(t.Limits.Max)
	}
	return s
}

func sectionOf(c *wasm.Custom) Section {
	return Section{Name: printable(c.Name, maxName), Bytes: len(c.Content)}
}
