// Package meter rewrites a WebAssembly module so that whatever it executes is
// charged against a budget and can be ended. Start with [Rewrite], which makes
// the metered module, and [Import], which gives a runtime the function that a
// metered module imports; a [Gauge] then bounds each call.
//
// # What is charged
//
// One unit for every instruction that is executed, save those that only mark
// structure (block, loop, end, else, nop); more for instructions that do more:
// [HostCall] for a call of an imported function, and for every call through a
// table in a module that could have one there; a unit for every 16 bytes that
// a bulk memory instruction moves, one for every element that a table
// instruction moves, and [GrowPage] for every page of memory.grow. A basic block
// is charged as a whole when it is entered, and with it what is sure to follow.
// So the units of a call depend on the module and its input alone: not on the
// machine, nor on the size of the slice.
//
// # How
//
// A global counts units down. It is looked at where a path can repeat: at the
// head of each loop and at the entry of each function, and in code that runs
// straight on for long. When it is below zero the module calls out, and the
// gauge grants another slice or ends the call. In loops that call nothing the
// count is kept in a local, which the compiler keeps in a register.
//
// The lower bits of that global count down the stack: each function that calls
// others takes an upper estimate of its frame, so that recursion ends long
// before the engine's own stack does.
//
// # What is refused
//
// Whatever the rewriter does not know is an error that wraps [wasm.ErrUnsupported]
// or [ErrRefused]: nothing ever runs unmetered. Atomic waits are refused, since
// nothing could wake them. Names that begin with [Reserved] are the meter's.
package meter

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// Reserved begins the names that a module must not use itself.
const Reserved = "relay_meter"

// The units that single instructions cost beyond one.
const (
	// HostCall is what a call of an imported function costs, in units.
	HostCall = 64
	// GrowPage is what each page of 64 KiB that memory.grow asks for costs.
	GrowPage = 4096
)

// Limits of a rewritten module; zero values mean the defaults.
type Limits struct {
	// Stack is the most stack that a call may use, in bytes, by the meter's
	// upper estimate: no more than 32 MiB. Defaults to 4 MiB.
	Stack uint32
	// MemoryPages clamps the maximum of the module's memories, in pages of
	// 64 KiB. Defaults to 65536, all there is.
	MemoryPages uint32
	// TableElements clamps the maximum of the module's tables. Defaults to
	// 1,000,000.
	TableElements uint32
	// Nesting is how deep blocks may be nested in a function. Defaults to 10,000.
	Nesting uint32
	// Locals is how many locals a function may have, its parameters included.
	// Defaults to 50,000.
	Locals uint32
	// FunctionSize is how many bytes a function's code may have. Defaults to
	// 4 MiB.
	FunctionSize uint32
	// ExportGlobals exports the module's mutable globals of numeric types, for a
	// host that sets them back; see [Info].
	ExportGlobals bool
}

func (l Limits) withDefaults() Limits {
	l.Stack = min(cmp.Or(l.Stack, 4<<20), (stackSign-1)*stackUnit)
	l.MemoryPages = cmp.Or(l.MemoryPages, maxPages)
	l.TableElements = cmp.Or(l.TableElements, 1_000_000)
	l.Nesting = cmp.Or(l.Nesting, 10_000)
	l.Locals = cmp.Or(l.Locals, 50_000)
	l.FunctionSize = cmp.Or(l.FunctionSize, 4<<20)
	return l
}

// maxPages is the most that a 32-bit memory can have.
const maxPages = 65536

// ErrRefused is wrapped by the errors of modules that cannot be metered though
// they may be valid.
var ErrRefused = errors.New("the module cannot be metered")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// Rewrite returns the metered module. The input is not changed. It checks that
// every index in the code is the module's own, so that no code can reach what
// is added; that the code is otherwise valid is left to the compiler.
func Rewrite(file []byte, limits Limits) ([]byte, error) {
	m, err := wasm.Decode(file)
	if err != nil {
		return nil, err
	}
	if err := checkNames(m); err != nil {
		return nil, err
	}
	if err := checkTypes(m.Types); err != nil {
		return nil, err
	}
	r := newRewriter(m, limits.withDefaults())
	if err := r.index.checkModule(m); err != nil {
		return nil, err
	}
	if err := r.clamp(); err != nil {
		return nil, err
	}
	if err := r.functions(); err != nil {
		return nil, err
	}
	r.shiftIndices()
	r.addOwn()
	return m.Encode(), nil
}

func checkNames(m *wasm.Module) error {
	for _, i := range m.Imports {
		if strings.HasPrefix(i.Module, Reserved) {
			return refuse("it imports %.80q, which is the meter's own", i.Module)
		}
	}
	for _, e := range m.Exports {
		if strings.HasPrefix(e.Name, Reserved) {
			return refuse("it exports %.80q, which is a name of the meter's own", e.Name)
		}
	}
	return nil
}

// clamp bounds what memories and tables can grow to.
func (r *rewriter) clamp() error {
	for i := range r.module.Memories {
		if err := clampLimits("memory", &r.module.Memories[i], uint64(r.limits.MemoryPages), maxPages); err != nil {
			return err
		}
	}
	for i := range r.module.Tables {
		if err := clampLimits("table", &r.module.Tables[i].Limits, uint64(r.limits.TableElements), math.MaxUint32); err != nil {
			return err
		}
	}
	return nil
}

func clampLimits(what string, l *wasm.Limits, most, valid uint64) error {
	if l.Is64 {
		return refuse("a %s is 64-bit", what)
	}
	if l.Min > most {
		return refuse("a %s begins with %d, and the limit is %d", what, l.Min, most)
	}
	if l.HasMax && (l.Max < l.Min || l.Max > valid) {
		return nil // not valid, which the compiler says better
	}
	if !l.HasMax || l.Max > most {
		l.Max, l.HasMax = most, true
	}
	return nil
}
