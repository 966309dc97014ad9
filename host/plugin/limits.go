package plugin

import (
	"cmp"
	"time"

	"github.com/relayhost/relayhost/host/plugin/meter"
)

// Limit is what one call may use. What goes beyond costs the call its message
// and its instance.
type Limit struct {
	// Deadline is how long the call may take.
	Deadline time.Duration
	// Fuel is how much it may execute, in the units of package meter: about an
	// instruction each. The barest loop runs 4 billion a second (amd64).
	Fuel uint64
}

// Limits are a plugin's limits; zero values mean the defaults.
type Limits struct {
	// Message is for handle_message. Defaults to 5 s and 50 billion units.
	Message Limit
	// Batch is for handle_batch, prepare_messages and handle_failed. Defaults to 30 s and 300 billion units.
	Batch Limit
	// Configure is for configure. Defaults to 10 s and 100 billion units.
	Configure Limit
	// Start is for the start function, _initialize and teardown, each.
	// Defaults to 10 s and 100 billion units.
	Start Limit

	// MemoryPages is the most memory of one instance, in pages of 64 KiB.
	// Defaults to 4096, 256 MiB.
	MemoryPages uint32
	// KeptPages is how large an instance may have grown and be kept, in pages
	// of 64 KiB: one that a call has left larger is replaced, so that a leak
	// ends between messages rather than in one. Defaults to half of
	// MemoryPages.
	KeptPages uint32
	// TableElements is how large a table may be. Defaults to 100,000.
	TableElements uint32

	// What a module may be made of, so that no file keeps the compiler busy or
	// fills the memory.
	Module ModuleLimits

	// OutputSize is how long the output of a call may be, in bytes.
	// Defaults to 16 MiB.
	OutputSize int
	// OutputRecords is how many records a batch may put out. Defaults to 65,536.
	OutputRecords int
	// Outputs is how many messages handle_message may make of one. Defaults to
	// 1,000.
	Outputs int

	// LogLines and LogBytes are what a slot may log in a second; twice as much
	// may come at once. What is above is dropped and counted.
	// They default to 100 lines and 64 KiB.
	LogLines, LogBytes int

	// Spares is how many instances a slot keeps ready once it lost one.
	// Defaults to 1.
	Spares int

	// Failures is after how many failures in a row, over all of its slots, a
	// plugin is given a rest: of 100 ms, and twice as long after each further
	// failure, up to 30 s. Defaults to 20.
	Failures int
}

// ModuleLimits bound a module's file.
type ModuleLimits struct {
	// Size is in bytes. Defaults to 64 MiB.
	Size int
	// Functions defaults to 100,000.
	Functions int
	// FunctionSize is how long one function's code may be, in bytes.
	// Defaults to 4 MiB.
	FunctionSize int
	// Locals is how many a function may have, its parameters among them.
	// Defaults to 50,000.
	Locals int
	// Nesting is how deep blocks may lie in blocks. Defaults to 10,000.
	Nesting int
	// CompileTime bounds the compilation; it is looked at between functions.
	// Defaults to 1 min.
	CompileTime time.Duration
}

// WithDefaults fills in what is zero.
func (l Limits) WithDefaults() Limits {
	l.Message = l.Message.or(Limit{5 * time.Second, 50e9})
	l.Batch = l.Batch.or(Limit{30 * time.Second, 300e9})
	l.Configure = l.Configure.or(Limit{10 * time.Second, 100e9})
	l.Start = l.Start.or(Limit{10 * time.Second, 100e9})
	l.MemoryPages = cmp.Or(l.MemoryPages, 4096)
	l.KeptPages = cmp.Or(l.KeptPages, l.MemoryPages/2)
	l.TableElements = cmp.Or(l.TableElements, 100_000)
	l.Module = l.Module.withDefaults()
	l.OutputSize = cmp.Or(l.OutputSize, 16<<20)
	l.OutputRecords = cmp.Or(l.OutputRecords, 1<<16)
	l.Outputs = cmp.Or(l.Outputs, 1000)
	l.LogLines = cmp.Or(l.LogLines, 100)
	l.LogBytes = cmp.Or(l.LogBytes, 64<<10)
	l.Spares = cmp.Or(l.Spares, 1)
	l.Failures = cmp.Or(l.Failures, 20)
	return l
}

func (l ModuleLimits) withDefaults() ModuleLimits {
	l.Size = cmp.Or(l.Size, 64<<20)
	l.Functions = cmp.Or(l.Functions, 100_000)
	l.FunctionSize = cmp.Or(l.FunctionSize, 4<<20)
	l.Locals = cmp.Or(l.Locals, 50_000)
	l.Nesting = cmp.Or(l.Nesting, 10_000)
	l.CompileTime = cmp.Or(l.CompileTime, time.Minute)
	return l
}

func (l Limit) or(d Limit) Limit {
	return Limit{Deadline: cmp.Or(l.Deadline, d.Deadline), Fuel: cmp.Or(l.Fuel, d.Fuel)}
}

// meter is what the meter holds of the limits, which must be filled in.
func (l *Limits) meter() meter.Limits {
	return meter.Limits{
		MemoryPages: l.MemoryPages, TableElements: l.TableElements,
		Nesting: uint32(l.Module.Nesting), Locals: uint32(l.Module.Locals), //nolint:gosec // the configuration has bounds
		FunctionSize: uint32(l.Module.FunctionSize), //nolint:gosec // likewise
	}
}
