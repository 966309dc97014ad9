// Package wasm reads and writes core WebAssembly modules at the level of their
// sections. [Decode] turns a file into a [Module], whose imports, exports and
// types can be looked up; [Module.Encode] turns it back into a file. Function
// bodies and initializers stay bytes, to be read with a [Reader].
//
// # What is read
//
// WebAssembly 2.0 with threads, tail calls, extended constant expressions, and
// the limits of 64-bit memories. Exceptions, garbage collection and typed
// function references are [ErrUnsupported]. Decode checks the binary format; it
// does not validate: an index may point nowhere, and code is not looked at.
//
// # Hostile input
//
// Decode accepts any bytes. It never panics, and what it allocates is bounded by
// a small multiple of the input's length, whatever counts the input declares.
// Every error says what is wrong at which byte; see [Error].
//
// # Ownership
//
// A decoded module aliases the bytes it was decoded from: they must not change
// as long as the module is in use. Encode copies.
package wasm

import "slices"

// Module is a core module. Its index spaces begin with the imports of a kind
// and go on with the module's own.
type Module struct {
	Types     []FuncType
	Imports   []Import
	Functions []uint32 // the type of each own function, as an index into Types
	Tables    []TableType
	Memories  []Limits
	Globals   []Global
	Exports   []Export
	Start     *uint32 // the start function, nil without one
	Elements  []Element
	DataCount *uint32 // len(Data) if the module has the section, else nil
	Code      []Code  // the body of each own function
	Data      []Data
	Customs   []Custom
}

// Import is one import. The field that belongs to its kind is set.
type Import struct {
	Module, Name string
	Kind         Kind
	Func         uint32 // an index into Types
	Table        TableType
	Memory       Limits
	Global       GlobalType
}

// Export is one export: Index counts in the index space of Kind.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32
}

// Global is one of the module's own globals.
type Global struct {
	Type GlobalType
	Init Expr
}

// Mode says when a segment is used.
type Mode uint8

// The modes of an [Element] or [Data] segment.
const (
	Active      Mode = iota // copied when the module is instantiated
	Passive                 // copied by table.init or memory.init
	Declarative             // never copied; elements only
)

// Element is a segment of references: function indices in Funcs, or one
// initializer each in Exprs.
type Element struct {
	Mode   Mode
	Table  uint32 // if Active
	Offset Expr   // if Active
	Type   ValueType
	Funcs  []uint32
	Exprs  []Expr
}

// Data is a segment of bytes.
type Data struct {
	Mode   Mode
	Memory uint32 // if Active
	Offset Expr   // if Active
	Init   []byte
}

// Code is one function's body.
type Code struct {
	Locals []Locals
	Body   []byte // the instructions, with the last end
	Offset int    // of Body in the decoded file, for messages; not encoded
}

// Locals declares Count locals of one type.
type Locals struct {
	Count uint32
	Type  ValueType
}

// Custom is a custom section, after the standard section of identity After (0 at
// the beginning).
type Custom struct {
	After   byte
	Name    string
	Content []byte
}

// Expr is a constant expression, with its last end.
type Expr []byte

// Export returns the export called name.
func (m *Module) Export(name string) (Export, bool) {
	i := slices.IndexFunc(m.Exports, func(e Export) bool { return e.Name == name })
	if i < 0 {
		return Export{}, false
	}
	return m.Exports[i], true
}

// Imported returns how many imports of kind the module has: the index of the
// first of its own.
func (m *Module) Imported(kind Kind) uint32 {
	var n uint32
	for i := range m.Imports {
		if m.Imports[i].Kind == kind {
			n++
		}
	}
	return n
}

// FuncType returns the type of a function, false if the module has no such
// function or the function no such type.
func (m *Module) FuncType(index uint32) (FuncType, bool) {
	if imported := m.imported(KindFunc, index); imported != nil {
		return at(m.Types, imported.Func)
	}
	t, ok := at(m.Functions, index-m.Imported(KindFunc))
	if !ok {
		return FuncType{}, false
	}
	return at(m.Types, t)
}

// Memory returns the type of a memory.
func (m *Module) Memory(index uint32) (Limits, bool) {
	if imported := m.imported(KindMemory, index); imported != nil {
		return imported.Memory, true
	}
	return at(m.Memories, index-m.Imported(KindMemory))
}

// Table returns the type of a table.
func (m *Module) Table(index uint32) (TableType, bool) {
	if imported := m.imported(KindTable, index); imported != nil {
		return imported.Table, true
	}
	return at(m.Tables, index-m.Imported(KindTable))
}

// Global returns the type of a global.
func (m *Module) Global(index uint32) (GlobalType, bool) {
	if imported := m.imported(KindGlobal, index); imported != nil {
		return imported.Global, true
	}
	g, ok := at(m.Globals, index-m.Imported(KindGlobal))
	return g.Type, ok
}

func at[T any](s []T, index uint32) (T, bool) {
	if int64(index) >= int64(len(s)) {
		var none T
		return none, false
	}
	return s[index], true
}

// imported returns the import at index of kind's index space, nil if there is
// none.
func (m *Module) imported(kind Kind, index uint32) *Import {
	for i := range m.Imports {
		if m.Imports[i].Kind != kind {
			continue
		}
		if index == 0 {
			return &m.Imports[i]
		}
		index--
	}
	return nil
}
