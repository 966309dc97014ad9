package plugin

import (
	"slices"
	"time"
)

// LimitValue is one limit, for people and programs to read. Value counts Unit:
// "us" is microseconds, anything else what its name says.
type LimitValue struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
	Unit  string `json:"unit"`
}

// values lists the limits in the order in which they are shown.
func (l Limits) values() []LimitValue {
	return slices.Concat(
		l.Message.values("message"),
		l.Batch.values("batch"),
		l.Configure.values("configure"),
		l.Start.values("start"),
		[]LimitValue{
			limitOf("memory", pageBytes(uint64(l.MemoryPages)), "bytes"),
			limitOf("kept_memory", pageBytes(uint64(l.KeptPages)), "bytes"),
			limitOf("table", l.TableElements, "elements"),
		},
		l.Module.values(),
		[]LimitValue{
			limitOf("output", l.OutputSize, "bytes"),
			limitOf("output_records", l.OutputRecords, "records"),
			limitOf("log_lines_per_second", l.LogLines, "lines"),
			limitOf("log_bytes_per_second", l.LogBytes, "bytes"),
			limitOf("spares", l.Spares, "instances"),
			limitOf("failures", l.Failures, "failures"),
		})
}

func (l Limit) values(of string) []LimitValue {
	return []LimitValue{
		limitOf(of+"_deadline", l.Deadline/time.Microsecond, "us"),
		limitOf(of+"_fuel", l.Fuel, "fuel"),
	}
}

func (l ModuleLimits) values() []LimitValue {
	return []LimitValue{
		limitOf("module_size", l.Size, "bytes"),
		limitOf("functions", l.Functions, "functions"),
		limitOf("function_size", l.FunctionSize, "bytes"),
		limitOf("locals", l.Locals, "locals"),
		limitOf("nesting", l.Nesting, "blocks"),
		limitOf("compile_time", l.CompileTime/time.Microsecond, "us"),
	}
}

// limitOf is a limit with this value. No limit is negative.
func limitOf[N int | uint32 | uint64 | time.Duration](name string, value N, unit string) LimitValue {
	return LimitValue{Name: name, Value: uint64(value), Unit: unit}
}
