package wasm

import (
	"fmt"
	"strings"
)

// ValueType is the type of a value, as the binary format encodes it.
type ValueType byte

// The value types.
const (
	I32       ValueType = 0x7f
	I64       ValueType = 0x7e
	F32       ValueType = 0x7d
	F64       ValueType = 0x7c
	V128      ValueType = 0x7b
	FuncRef   ValueType = 0x70
	ExternRef ValueType = 0x6f
)

var valueTypeNames = map[ValueType]string{
	I32: "i32", I64: "i64", F32: "f32", F64: "f64", V128: "v128",
	FuncRef: "funcref", ExternRef: "externref",
}

// String returns the type's name in the text format.
func (t ValueType) String() string {
	if name, ok := valueTypeNames[t]; ok {
		return name
	}
	return fmt.Sprintf("type 0x%02x", byte(t))
}

// FuncType is the type of a function.
type FuncType struct {
	Params, Results []ValueType
}

// String returns the type as "(i32, i32) -> i64", "() -> ()" if it is empty.
func (t FuncType) String() string {
	results := join(t.Results)
	if len(t.Results) != 1 {
		results = "(" + results + ")"
	}
	return "(" + join(t.Params) + ") -> " + results
}

func join(types []ValueType) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	return strings.Join(names, ", ")
}

// Limits is the size of a memory in pages of 64 KiB, or of a table in elements.
type Limits struct {
	Min    uint64
	Max    uint64 // if HasMax
	HasMax bool
	Shared bool // between threads
	Is64   bool // indexed by i64
}

// TableType is the type of a table.
type TableType struct {
	Type   ValueType
	Limits Limits
}

// GlobalType is the type of a global.
type GlobalType struct {
	Type    ValueType
	Mutable bool
}

// Kind is what an import or export is.
type Kind byte

// The kinds of imports and exports.
const (
	KindFunc Kind = iota
	KindTable
	KindMemory
	KindGlobal
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case KindFunc:
		return "function"
	case KindTable:
		return "table"
	case KindMemory:
		return "memory"
	case KindGlobal:
		return "global"
	}
	return fmt.Sprintf("kind %d", byte(k))
}
