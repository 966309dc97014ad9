package plugin_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/message"
)

// hostile is a module of testdata/hostile and what must become of it; the
// module's first lines say what it tries.
type hostile struct {
	name string
	// kind is what becomes of a long message, or of a batch of them if batch.
	kind  message.Kind
	batch bool
	// reason is a part of why.
	reason string
}

// hostileCalls are loaded, and do their worst when they are called.
var hostileCalls = []hostile{
	{name: "recursion_direct", kind: message.Trap, reason: "the stack is used up"},
	{name: "recursion_mutual", kind: message.Trap, reason: "the stack is used up"},
	{name: "recursion_indirect", kind: message.Trap, reason: "the stack is used up"},
	{name: "recursion_fat_locals", kind: message.Trap, reason: "stack"},
	{name: "recursion_fat_operands", kind: message.Trap, reason: "stack"},
	{name: "recursion_many_values", kind: message.Trap, reason: "stack"},
	{name: "reentrancy", kind: message.Trap, reason: "the stack is used up"},

	{name: "memory_grow_bomb", kind: message.Memory, reason: "no more memory"},
	{name: "memory_fill_out_of_range", kind: message.Trap, reason: "out of bounds"},
	{name: "memory_copy_wraps", kind: message.Trap, reason: "out of bounds"},
	{name: "divide_by_zero", kind: message.Trap, reason: "divide by zero"},
	{name: "divide_overflow", kind: message.Trap, reason: "overflow"},
	{name: "convert_nan", kind: message.Trap, reason: "invalid conversion"},
	{name: "load_out_of_range", kind: message.Trap, reason: "out of bounds"},
	{name: "store_out_of_range", kind: message.Trap, reason: "out of bounds"},
	{name: "call_null", kind: message.Trap, reason: "invalid table access"},
	{name: "call_mistyped", kind: message.Trap, reason: "indirect call type mismatch"},
	{name: "call_out_of_range", kind: message.Trap, reason: "invalid table access"},
	{name: "exit_zero", kind: message.Exit, reason: "proc_exit(0)"},
	{name: "exit_deep", kind: message.Exit, reason: "proc_exit(4026531839)"},
	{name: "unreachable_everywhere", kind: message.Trap, reason: "unreachable"},
	{name: "unreachable_everywhere", kind: message.Trap, reason: "unreachable", batch: true},

	{name: "output_out_of_range", kind: message.ABI, reason: "does not lie in the memory"},
	{name: "output_far_away", kind: message.ABI, reason: "does not lie in the memory"},
	{name: "output_wraps", kind: message.ABI, reason: "does not lie in the memory"},
	{name: "output_of_4_gib", kind: message.ABI, reason: "and the limit is"},
	{name: "output_whole_memory", kind: message.ABI, reason: "the output"},
	{name: "output_at_end", kind: message.OK},
	{name: "output_is_input", kind: message.OK},
	{name: "output_in_new_memory", kind: message.OK},
	{name: "output_claims_length", kind: message.ABI, reason: "malformed frame"},
	{name: "output_claims_4_gib", kind: message.ABI, reason: "malformed frame"},
	{name: "output_endless_varint", kind: message.ABI, reason: "malformed frame"},
	{name: "output_group", kind: message.ABI, reason: "malformed frame"},
	{name: "output_not_utf8", kind: message.ABI, reason: "not UTF-8"},
	{name: "output_forged_reason", kind: message.Handler, reason: `\n\x1b[2Jtime=now level=INFO msg=ok\u202etsrif`},
	{name: "output_long_reason", kind: message.Handler, reason: "xxx"},

	{name: "input_overwritten", kind: message.OK},
	{name: "input_buffer_zero", kind: message.ABI, reason: "returned 0"},
	{name: "input_buffer_short", kind: message.ABI, reason: "the memory ends at"},
	{name: "input_buffer_past_end", kind: message.ABI, reason: "the memory ends at"},
	{name: "input_buffer_wraps", kind: message.ABI, reason: "the memory ends at"},
	{name: "input_buffer_exact", kind: message.OK},
	{name: "input_buffer_grows", kind: message.OK},
	{name: "input_buffer_overlaps_data", kind: message.OK},
	{name: "input_buffer_traps", kind: message.Trap, reason: "relay_buffer: wasm error: unreachable"},
	{name: "input_buffer_exits", kind: message.Exit, reason: "relay_buffer: the plugin called proc_exit(0)"},
	{name: "input_buffer_is_wasi", kind: message.OK},

	{name: "log_forged_line", kind: message.OK},
	{name: "log_forged_stderr", kind: message.OK},
	{name: "log_out_of_range", kind: message.Trap, reason: "does not lie in the memory"},
	{name: "log_wraps", kind: message.Trap, reason: "does not lie in the memory"},
	{name: "stdout_iov_of_4_gib", kind: message.OK},
	{name: "stdout_iovs_overflow", kind: message.Trap, reason: "fd_write of 536870912, and the limit is"},
	{name: "random_of_4_gib", kind: message.OK},
	{name: "poll_overflow", kind: message.Trap, reason: "poll_oneoff of 268435456, and the limit is"},
	{name: "stdout_overlapping_iovs", kind: message.Trap, reason: "fd_write of 1000000, and the limit is"},
	{name: "stdout_empty_iovs", kind: message.Trap, reason: "fd_write of 8000000, and the limit is"},
	{name: "stdin_empty_iovs", kind: message.Trap, reason: "fd_read of 8000000, and the limit is"},
	{name: "poll_million", kind: message.Trap, reason: "poll_oneoff of 700000, and the limit is"},
	{name: "poll_stdin_million", kind: message.Trap, reason: "poll_oneoff of 500000, and the limit is"},
	{name: "path_of_64_mib", kind: message.Trap, reason: "path_filestat_get of 66000000, and the limit is"},
	{name: "wasi_hostile_arguments", kind: message.OK},
	{name: "wasi_closes_all", kind: message.OK},

	{name: "batch_index_huge", kind: message.ABI, reason: "index 4294967295 is out of range", batch: true},
	{name: "batch_results_bomb", kind: message.ABI, reason: "index 0 occurs twice", batch: true},
	{name: "batch_records_bomb", kind: message.ABI, reason: "records", batch: true},
	{name: "batch_no_results", kind: message.Missing, reason: "no result", batch: true},

	{name: "memory_at_limit", kind: message.OK},
	{name: "element_out_of_range", kind: message.OK},
	{name: "element_negative", kind: message.OK},
}

// hostileEndless never return: their deadline ends them.
var hostileEndless = []string{
	"spin", "spin_br_table", "spin_with_values", "spin_by_calls", "recursion_deep_spin",
	"exponential_calls", "exponential_chain", "exponential_indirect",
	"memory_grow_forever", "memory_grow_huge", "memory_grow_nothing", "memory_touch_forever",
	"memory_fill_forever", "memory_copy_forever", "memory_copy_overlapping", "memory_init_forever",
	"table_grow_bomb", "table_fill_forever", "table_copy_forever", "table_init_forever",
	"input_buffer_spins",
	"log_flood", "log_flood_of_long_lines", "host_calls_by_table",
	"stdout_flood", "stdout_line_feeds",
	"random_flood", "sleep_forever", "sleep_for_no_time", "sleep_for_negative_time",
	"yield_forever", "clock_forever",
}

// hostileRefused are refused with a sentence that has these words.
var hostileRefused = map[string]string{
	"start_spins":            "failed: the deadline has passed",
	"start_traps":            "unreachable",
	"start_exits":            "start: the plugin called proc_exit(0)",
	"start_recurses":         "the stack is used up",
	"start_floods":           "failed: the deadline has passed",
	"start_takes_memory":     "failed: the deadline has passed",
	"start_sleeps":           "failed: the deadline has passed",
	"initialize_spins":       "_initialize: the deadline has passed",
	"initialize_traps":       "_initialize: wasm error: unreachable",
	"configure_spins":        "configure: the deadline has passed",
	"configure_lies":         "configure: the output ",
	"configure_exits":        "configure: the plugin called proc_exit(0)",
	"configure_takes_memory": "configure: the plugin could have no more memory",

	"import_case":      `import "relay_v1"."Log" is not offered`,
	"import_space":     `import "relay_v1 "."log" is not offered`,
	"import_nul":       `import "relay_v1\x00"."log" is not offered`,
	"import_homoglyph": `is not offered`,
	"import_empty":     `import ""."" is not offered`,
	"import_escapes":   `import "env\nhint: trust me\x1b[2J"."x" is not offered`,
	"import_old_wasi":  `import "wasi_unstable"."fd_write" is not offered`,
	"import_meter":     `import "relay_meter"."refill" is not offered`,
	"import_mistyped":  `has type (i32) -> i32, want (i32) -> ()`,
	"import_global":    "only functions may be imported",
	"import_memory":    "only functions may be imported",

	"export_meter_global":   `it exports "relay_meter_fuel", which is a name of the meter's own`,
	"export_meter_function": `it exports "relay_meter_x", which is a name of the meter's own`,
	"export_homoglyph":      "export handle_message is missing",
	"export_twice":          "exported twice",

	"index_meter_global":   "there is no global 0",
	"index_meter_function": "there is no function 5",
	"index_local":          "there is no local 0",
	"index_dead_code":      "there is no global 0",
	"index_global_cycle":   "global",
	"index_element":        "function 5, which does not exist",
	"index_start":          "start function is 5, which does not exist",

	"data_out_of_range":  "start: ",
	"table_of_4_billion": "table 0 begins with 4294967295 elements",
	"tables_many":        "tables",
	"memory_of_4_gib":    "the memory begins with 65536 pages",
	"recursion_tail":     "tail",
}

// hostileElsewhere have a test of their own, by which batch or teardown is
// called.
var hostileElsewhere = []string{"batch_spin", "teardown_spins", "teardown_exits"}

func hostileModule(t testing.TB, name string) []byte { return module(t, "hostile/"+name) }

// Each module of the corpus is in the tables, and says what it is.
func TestHostileCorpus(t *testing.T) {
	names := slices.Concat(hostileEndless, hostileElsewhere)
	for _, h := range hostileCalls {
		names = append(names, h.name)
	}
	for name := range hostileRefused {
		names = append(names, name)
	}
	files, err := filepath.Glob("testdata/hostile/*.wat")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d modules: %v", len(files), err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".wat"); !slices.Contains(names, name) {
			t.Errorf("%s is in no table", name)
		}
		text, err := os.ReadFile(file)
		if err != nil || !bytes.HasPrefix(text, []byte(";; ")) || !bytes.Contains(text, []byte(";; Must happen: ")) {
			t.Errorf("%s does not say what it tries: %v", file, err)
		}
	}
}
