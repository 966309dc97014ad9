package plugin

// Inspection is what can be seen of a module's file without running it. Its
// JSON form is documented in docs/plugin-commands.md. All text of the module is
// escaped and cut.
type Inspection struct {
	// Digest is "sha256:" and the file's SHA-256 in hex; Bytes is its size.
	Digest string `json:"digest"`
	Bytes  int    `json:"bytes"`
	// Problems are reasons to refuse the module; Hint may be empty.
	Problems []string `json:"problems"`
	Hint     string   `json:"hint,omitempty"`
	// Module is nil if the file is no module that can be read.
	Module *Content `json:"module,omitempty"`
	// Limits are those that hold for the module, in a fixed order.
	Limits []LimitValue `json:"limits"`
}

// Content is what a module is made of.
type Content struct {
	// ABI is the version that the module is marked with, 0 if it is not.
	ABI int `json:"abi"`
	// Handlers are the exported functions that the host calls, but for
	// relay_buffer.
	Handlers []string `json:"handlers"`
	// Exports are the others, which the host ignores.
	Exports  Listed[Extern]     `json:"exports"`
	Imports  Listed[Extern]     `json:"imports"`
	Memories Listed[MemorySize] `json:"memories"`
	Tables   Listed[TableSize]  `json:"tables"`
	// Functions are the module's own. Code is their bodies, in bytes, and
	// LargestFunction the longest one.
	Functions       int `json:"functions"`
	Code            int `json:"code_bytes"`
	LargestFunction int `json:"largest_function_bytes"`
	// Data is the data segments' content, in bytes.
	Data    int `json:"data_bytes"`
	Globals int `json:"globals"`
	// Producers is what the module says of the tools that made it, the first
	// 200.
	Producers []Producer      `json:"producers"`
	Sections  Listed[Section] `json:"custom_sections"`
}

// maxListed bounds the items of a Listed.
const maxListed = 200

// Listed is the first 200 items of a list, and how many there are in all.
type Listed[T any] struct {
	Total int `json:"total"`
	Items []T `json:"items"`
}

// listed looks at no item beyond those that it lists.
func listed[S, T any](all []S, view func(*S) T) Listed[T] {
	l := Listed[T]{Total: len(all), Items: []T{}}
	for i := range min(len(all), maxListed) {
		l.Items = append(l.Items, view(&all[i]))
	}
	return l
}

// Extern is an import or an export.
type Extern struct {
	Module string `json:"module,omitempty"` // of an import
	Name   string `json:"name"`
	Kind   string `json:"kind"`           // function, table, memory or global
	Type   string `json:"type,omitempty"` // of a function
}

// MemorySize is a memory's size. What Max has is nil if the module sets no
// maximum.
type MemorySize struct {
	MinPages uint64  `json:"min_pages"` // of 64 KiB
	MaxPages *uint64 `json:"max_pages,omitempty"`
	MinBytes uint64  `json:"min_bytes"`
	MaxBytes *uint64 `json:"max_bytes,omitempty"`
}

// TableSize is a table's size, in elements.
type TableSize struct {
	Type string  `json:"type"`
	Min  uint64  `json:"min"`
	Max  *uint64 `json:"max,omitempty"`
}

// Producer is a tool, for instance field language, name Go, version go1.26.
type Producer struct {
	Field   string `json:"field"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// Section is a custom section.
type Section struct {
	Name  string `json:"name"`
	Bytes int    `json:"bytes"`
}
