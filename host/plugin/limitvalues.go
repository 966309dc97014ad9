package plugin

import (
	"slices"
	"time"
)

// LimitValue is one limit, for people and programs to read. Name is its key in
// [pipeline.plugin.limits]. Unit is what Value counts: us (microseconds), fuel,
// bytes, bytes/s, lines/s, or just count.
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
			limitOf("table_elements", l.TableElements, "count"),
		},
		l.Module.values(),
		[]LimitValue{
			limitOf("output_size", l.OutputSize, "bytes"),
			limitOf("output_records", l.OutputRecords, "count"),
			limitOf("log_lines", l.LogLines, "lines/s"),
			limitOf("log_bytes", l.LogBytes, "bytes/s"),
			limitOf("spares", l.Spares, "count"),
			limitOf("failures", l.Failures, "count"),
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
		limitOf("functions", l.Functions, "count"),
		limitOf("function_size", l.FunctionSize, "bytes"),
		limitOf("locals", l.Locals, "count"),
		limitOf("nesting", l.Nesting, "count"),
		limitOf("compile_time", l.CompileTime/time.Microsecond, "us"),
	}
}

// limitOf is a limit with this value. No limit is negative.
func limitOf[N int | uint32 | uint64 | time.Duration](name string, value N, unit string) LimitValue {
	return LimitValue{Name: name, Value: uint64(value), Unit: unit}
}
