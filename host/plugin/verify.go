package plugin

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// maxProblems bounds a refusal's length.
const maxProblems = 20

// maxTables is how many tables a module may have, each of which may have as many
// elements as a table may.
const maxTables = 16

// Requirements is what [Verify] asks of a module beyond the ABI.
type Requirements struct {
	// Batch: the pipeline has batchers, so handle_batch is required.
	Batch bool
	// Limits are the plugin's.
	Limits Limits
}

// Verify checks a module statically against abi/SPEC.md, "What is refused at
// load", and returns nil or a [*Refusal] with everything that it found; name is
// what the refusal calls the plugin. It runs nothing and does not look at the
// code of functions: that is left to the compiler, in [Engine.Load].
func Verify(name string, file []byte, need Requirements) error {
	refusal := &Refusal{Plugin: name, Digest: Digest(file)}
	limits := need.Limits.WithDefaults()
	if len(file) > limits.Module.Size {
		refusal.Problems = []string{fmt.Sprintf("the module has %d bytes, and the limit is %d", len(file), limits.Module.Size)}
		return refusal
	}
	module, err := wasm.Decode(file)
	if err != nil {
		refusal.Problems = []string{err.Error()}
		refusal.Hint = decodeHint(err)
		return refusal
	}
	c := check{module: module, refusal: refusal}
	if err := c.imports(); err != nil {
		return err
	}
	c.exports(need.Batch)
	c.memory(limits.MemoryPages)
	c.size(&limits)
	if len(refusal.Problems) == 0 {
		return nil
	}
	return c.bounded()
}

func decodeHint(err error) string {
	switch {
	case errors.Is(err, wasm.ErrComponent):
		return "build a core module, for instance for wasip1 rather than wasip2"
	case errors.Is(err, wasm.ErrTruncated):
		return "the file may be half written: build or copy it again"
	}
	return ""
}

// exportTypes are the functions that the host calls, or looks for.
var exportTypes = []struct {
	name     string
	typ      wasm.FuncType
	required bool
}{
	{abi.ExportMarker, wasm.FuncType{}, true},
	{abi.ExportBuffer, wasm.FuncType{Params: i32s(1), Results: i32s(1)}, true},
	{abi.ExportHandleMessage, handlerType, true},
	{abi.ExportHandleBatch, handlerType, false},
	{abi.ExportPrepare, handlerType, false},
	{abi.ExportFailed, handlerType, false},
	{abi.ExportConfigure, handlerType, false},
	{abi.ExportTeardown, wasm.FuncType{}, false},
	{abi.ExportInitialize, wasm.FuncType{}, false},
}

var handlerType = wasm.FuncType{Params: i32s(2), Results: []wasm.ValueType{wasm.I64}}

func i32s(n int) []wasm.ValueType {
	types := make([]wasm.ValueType, n)
	for i := range types {
		types[i] = wasm.I32
	}
	return types
}

// check collects what is wrong with a module.
type check struct {
	module  *wasm.Module
	refusal *Refusal
	more    int // problems beyond maxProblems
}

func (c *check) problem(format string, args ...any) {
	if len(c.refusal.Problems) == maxProblems {
		c.more++
		return
	}
	c.refusal.Problems = append(c.refusal.Problems, fmt.Sprintf(format, args...))
}

func (c *check) bounded() *Refusal {
	if c.more > 0 {
		c.refusal.Problems = append(c.refusal.Problems, fmt.Sprintf("… and %d more", c.more))
	}
	return c.refusal
}

// hint keeps the first hint.
func (c *check) hint(hint string) { c.refusal.Hint = cmp.Or(c.refusal.Hint, hint) }

func (c *check) exports(batch bool) {
	for _, e := range exportTypes {
		required := e.required || batch && e.name == abi.ExportHandleBatch
		c.exportedFunction(e.name, e.typ, required)
	}
	if _, marked := c.module.Export(abi.ExportMarker); marked {
		return
	}
	if _, command := c.module.Export("_start"); command {
		c.hint("the module is a WASI command; build a reactor that exports handlers, in Go with -buildmode=c-shared")
	}
}

func (c *check) exportedFunction(name string, want wasm.FuncType, required bool) {
	export, ok := c.module.Export(name)
	if !ok {
		if required {
			c.problem("export %s is missing, want a function of type %v", name, want)
		}
		return
	}
	if export.Kind != wasm.KindFunc {
		c.problem("export %s is a %v, want a function of type %v", name, export.Kind, want)
		return
	}
	typ, ok := c.module.FuncType(export.Index)
	if !ok {
		c.problem("export %s is function %d, which does not exist", name, export.Index)
		return
	}
	if got, want := typ.String(), want.String(); got != want {
		c.problem("export %s has type %.200s, want %s", name, got, want)
	}
}

func (c *check) imports() error {
	wasi, err := wasiTypes()
	if err != nil {
		return err
	}
	for i := range c.module.Imports {
		c.imported(&c.module.Imports[i], wasi)
	}
	return nil
}

// imported checks one import. Names are the module's own text: quoted and cut.
func (c *check) imported(i *wasm.Import, wasi map[string]wasm.FuncType) {
	name := fmt.Sprintf("import %.80q.%.80q", i.Module, i.Name)
	if i.Kind != wasm.KindFunc {
		c.problem("%s is a %v, only functions may be imported", name, i.Kind)
		return
	}
	want, ok := offered(i, wasi)
	if !ok {
		c.problem("%s is not offered", name)
		c.hint("a plugin may import " + abi.ImportModule + "." + abi.ImportLog + " " + logType.String() +
			" and the functions of " + abi.ImportWASI + ", nothing else")
		return
	}
	if int64(i.Func) >= int64(len(c.module.Types)) {
		c.problem("%s has type %d, which does not exist", name, i.Func)
		return
	}
	if got, want := c.module.Types[i.Func].String(), want.String(); got != want {
		c.problem("%s has type %.200s, want %s", name, got, want)
	}
}

func offered(i *wasm.Import, wasi map[string]wasm.FuncType) (wasm.FuncType, bool) {
	switch i.Module {
	case abi.ImportModule:
		return logType, i.Name == abi.ImportLog
	case abi.ImportWASI:
		typ, ok := wasi[i.Name]
		return typ, ok
	}
	return wasm.FuncType{}, false
}

// memory checks that the module has exactly one memory of its own, and that it
// is the exported one. An imported memory is the imports' problem.
func (c *check) memory(limit uint32) {
	if imported := c.module.Imported(wasm.KindMemory); imported == 0 && len(c.module.Memories) != 1 {
		c.problem("the module has %d memories, want 1", len(c.module.Memories))
	}
	for _, m := range c.module.Memories {
		c.limits(m, limit)
	}
	export, ok := c.module.Export(abi.ExportMemory)
	switch {
	case !ok:
		c.problem("export %s is missing, want the module's memory", abi.ExportMemory)
	case export.Kind != wasm.KindMemory:
		c.problem("export %s is a %v, want the module's memory", abi.ExportMemory, export.Kind)
	case export.Index != 0:
		c.problem("export %s is memory %d, want the module's only one", abi.ExportMemory, export.Index)
	}
}

// size checks what the module has many of. The meter, which reads the code,
// checks the functions themselves.
func (c *check) size(l *Limits) {
	if n := len(c.module.Functions); n > l.Module.Functions {
		c.problem("the module has %d functions, and the limit is %d", n, l.Module.Functions)
	}
	if n := len(c.module.Tables); n > maxTables {
		c.problem("the module has %d tables, and the limit is %d", n, maxTables)
	}
	for i, t := range c.module.Tables {
		if t.Limits.Min > uint64(l.TableElements) {
			c.problem("table %d begins with %d elements, and the limit is %d", i, t.Limits.Min, l.TableElements)
		}
	}
}

func (c *check) limits(m wasm.Limits, limit uint32) {
	if m.Is64 {
		c.problem("the memory is 64-bit, want 32-bit")
		return
	}
	if m.Shared {
		c.problem("the memory is shared, want one of the instance's own")
	}
	if m.Min > uint64(limit) {
		c.problem("the memory begins with %d pages of 64 KiB, and the limit is %d", m.Min, limit)
	}
}
