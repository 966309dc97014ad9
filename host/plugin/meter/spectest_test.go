package meter_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/relayhost/relayhost/host/plugin/meter"
)

// suites are the core specification's tests as wazero has them, and the
// features that each needs.
var suites = map[string]api.CoreFeatures{
	"v1":             api.CoreFeaturesV1,
	"v2":             api.CoreFeaturesV2,
	"extended-const": api.CoreFeaturesV2 | experimental.CoreFeaturesExtendedConst,
	"tail-call":      api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall,
	"threads":        api.CoreFeaturesV2 | experimental.CoreFeaturesThreads,
}

// TestSpec runs the suites metered, with tiny slices and with real ones:
// whatever the specification says of a module holds for its metered form.
func TestSpec(t *testing.T) {
	root := spectests(t)
	for suite, features := range suites {
		for _, slice := range []int64{50, meter.DefaultSlice} {
			t.Run(fmt.Sprintf("%s/%d", suite, slice), func(t *testing.T) {
				scripts, err := filepath.Glob(filepath.Join(root, suite, "testdata", "*.json"))
				if err != nil || len(scripts) == 0 {
					t.Fatalf("no scripts of %s: %v", suite, err)
				}
				passes, refused := 0, 0
				for _, script := range scripts {
					s := newSpec(t, script, features, slice)
					s.run()
					passes, refused = passes+s.passes, refused+s.refused
				}
				t.Logf("%d commands hold, %d modules are refused", passes, refused)
				if passes < 100 {
					t.Errorf("only %d commands ran", passes)
				}
			})
		}
	}
}

func spectests(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatalf("find wazero: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
}

type value struct {
	Type     string `json:"type"`
	LaneType string `json:"lane_type"`
	Value    any    `json:"value"`
}

type command struct {
	Type     string  `json:"type"`
	Line     int     `json:"line"`
	Name     string  `json:"name"`
	Filename string  `json:"filename"`
	As       string  `json:"as"`
	Text     string  `json:"text"`
	Expected []value `json:"expected"`
	Action   struct {
		Type   string  `json:"type"`
		Module string  `json:"module"`
		Field  string  `json:"field"`
		Args   []value `json:"args"`
	} `json:"action"`
}

type spec struct {
	t       *testing.T
	script  string
	ctx     context.Context
	gauge   *meter.Gauge
	runtime wazero.Runtime
	modules map[string]api.Module
	last    api.Module
	passes  int
	refused int
}

func newSpec(t *testing.T, script string, features api.CoreFeatures, slice int64) *spec {
	t.Helper()
	s := &spec{t: t, script: script, modules: map[string]api.Module{}, gauge: meter.NewGauge(slice, new(atomic.Bool))}
	s.gauge.Start(math.MaxUint64, time.Minute)
	s.ctx = s.gauge.Context(t.Context())
	s.runtime = wazero.NewRuntimeWithConfig(s.ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features))
	t.Cleanup(func() { _ = s.runtime.Close(s.ctx) })
	if err := meter.Import(s.ctx, s.runtime); err != nil {
		t.Fatal(err)
	}
	host, err := os.ReadFile(filepath.Join(filepath.Dir(script), "..", "..", "testdata", "spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	// The module that the scripts import from is the tester's, not metered: its
	// memory and table have the limits that the scripts expect.
	if _, err := s.runtime.InstantiateWithConfig(s.ctx, host, wazero.NewModuleConfig().WithName("spectest")); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *spec) run() {
	text, err := os.ReadFile(s.script)
	if err != nil {
		s.t.Fatal(err)
	}
	var script struct {
		Commands []command `json:"commands"`
	}
	if err := json.Unmarshal(text, &script); err != nil {
		s.t.Fatal(err)
	}
	for i := range script.Commands {
		c := &script.Commands[i]
		c.As = cmp.Or(registeredAs(script.Commands[i:]), c.As)
		s.command(c)
	}
}

// registeredAs is the name under which others will import from the module that
// the commands begin with: wazero wants it when the module is instantiated.
func registeredAs(commands []command) string {
	if commands[0].Type != "module" {
		return ""
	}
	latest := true
	for _, c := range commands[1:] {
		switch {
		case c.Type == "register" && (c.Name == "" && latest || c.Name != "" && c.Name == commands[0].Name):
			return c.As
		case c.Type == "module":
			latest = false
		}
	}
	return ""
}

func (s *spec) command(c *command) {
	fail := func(format string, args ...any) {
		s.t.Errorf("%s:%d: %s: %s", filepath.Base(s.script), c.Line, c.Type, fmt.Sprintf(format, args...))
	}
	switch c.Type {
	case "module":
		if err := s.module(c); err != nil {
			fail("%v", err)
			return
		}
	case "register": // the module has the name already
	case "action", "assert_return":
		if problem := s.assertReturn(c); problem != "" {
			fail("%s", problem)
			return
		}
	case "assert_trap", "assert_exhaustion":
		if _, err := s.action(c); err == nil {
			fail("%s returned", c.Action.Field)
			return
		} else if errors.Is(err, errNoModule) {
			return
		}
	case "assert_invalid", "assert_malformed", "assert_unlinkable", "assert_uninstantiable":
		if !strings.HasSuffix(c.Filename, ".wasm") {
			return // a text, which is not for us
		}
		// Some of these wazero accepts, metered or not.
		if _, err := s.instantiate(c.Filename, ""); err == nil && !s.accepted(c.Filename) {
			fail("%s was accepted, want %s", c.Filename, c.Text)
			return
		}
	default:
		fail("not known to this test")
	}
	s.passes++
}

var errNoModule = errors.New("the module was refused")

// module instantiates a module. One that the meter refuses, though it may be
// valid, is counted and left out with what follows of it.
func (s *spec) module(c *command) error {
	m, err := s.instantiate(c.Filename, c.As)
	s.last = m
	if c.Name != "" {
		s.modules[c.Name] = m
	}
	if errors.Is(err, meter.ErrRefused) || err != nil && strings.Contains(err.Error(), "atomic wait") {
		s.refused++
		return nil
	}
	return err
}

// accepted reports whether wazero takes the module as it is.
func (s *spec) accepted(file string) bool {
	original, err := os.ReadFile(filepath.Join(filepath.Dir(s.script), file))
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.runtime.InstantiateWithConfig(s.ctx, original, wazero.NewModuleConfig().WithName(""))
	return err == nil
}

func (s *spec) instantiate(file, name string) (api.Module, error) {
	original, err := os.ReadFile(filepath.Join(filepath.Dir(s.script), file))
	if err != nil {
		s.t.Fatal(err)
	}
	metered, err := meter.Rewrite(original, meter.Limits{Stack: math.MaxUint32, TableElements: math.MaxUint32})
	if err != nil {
		return nil, err
	}
	code, err := s.runtime.CompileModule(s.ctx, metered)
	if err != nil {
		return nil, err
	}
	return s.runtime.InstantiateModule(s.ctx, code, wazero.NewModuleConfig().WithName(name).WithStartFunctions())
}

func (s *spec) assertReturn(c *command) string {
	got, err := s.action(c)
	switch {
	case errors.Is(err, errNoModule):
		return ""
	case err != nil:
		return fmt.Sprintf("%s: %v", c.Action.Field, err)
	case c.Type == "action":
		return ""
	}
	at := 0
	for i, want := range c.Expected {
		n, same := matches(want, got[at:])
		if !same {
			return fmt.Sprintf("%s%v: result %d is %#x, want %v", c.Action.Field, c.Action.Args, i, got[at:at+n], want)
		}
		at += n
	}
	return ""
}

func (s *spec) action(c *command) ([]uint64, error) {
	m := s.last
	if c.Action.Module != "" {
		m = s.modules[c.Action.Module]
	}
	if m == nil {
		return nil, errNoModule
	}
	if c.Action.Type == "get" {
		return []uint64{m.ExportedGlobal(c.Action.Field).Get()}, nil
	}
	var args []uint64
	for _, a := range c.Action.Args {
		args = append(args, encode(a)...)
	}
	count, metered := m.ExportedGlobal(meter.ExportCount).(api.MutableGlobal)
	before := uint64(0)
	if metered {
		before = count.Get()
	}
	results, err := m.ExportedFunction(c.Action.Field).Call(s.ctx, args...)
	if err != nil && metered {
		count.Set(before) // with the stack that the call had not given back
	}
	return results, err
}

// encode is a value as wazero passes it.
func encode(v value) []uint64 {
	switch v.Type {
	case "v128":
		return lanes(v)
	case "externref", "funcref":
		if v.Value == "null" {
			return []uint64{0}
		}
		n, _ := strconv.ParseUint(v.Value.(string), 10, 64)
		return []uint64{n + 1}
	case "i32", "f32":
		n, _ := strconv.ParseUint(v.Value.(string), 10, 32)
		return []uint64{n}
	}
	n, _ := strconv.ParseUint(v.Value.(string), 10, 64)
	return []uint64{n}
}

var laneBits = map[string]int{"i8": 8, "i16": 16, "i32": 32, "f32": 32, "i64": 64, "f64": 64}

func lanes(v value) []uint64 {
	out := make([]uint64, 2)
	bits := laneBits[v.LaneType]
	for i, lane := range v.Value.([]any) {
		n, _ := strconv.ParseUint(lane.(string), 10, bits)
		out[i*bits/64] |= n << (i * bits % 64)
	}
	return out
}

// matches compares the next result with what is wanted, of which a NaN may be
// any NaN of its kind, and says how many words it took.
func matches(want value, got []uint64) (words int, same bool) {
	if want.Type == "v128" {
		return 2, len(got) >= 2 && lanesMatch(want, got[:2])
	}
	if len(got) == 0 {
		return 0, false
	}
	text, _ := want.Value.(string)
	switch {
	case strings.HasPrefix(text, "nan:"):
		return 1, isNaN(want.Type, got[0])
	case want.Type == "i32" || want.Type == "f32":
		return 1, uint32(got[0]) == uint32(encode(want)[0])
	}
	return 1, slices.Equal(encode(want), got[:1])
}

func isNaN(typ string, bits uint64) bool {
	if typ == "f32" {
		return math.IsNaN(float64(math.Float32frombits(uint32(bits))))
	}
	return math.IsNaN(math.Float64frombits(bits))
}

func lanesMatch(want value, got []uint64) bool {
	bits := laneBits[want.LaneType]
	for i, lane := range want.Value.([]any) {
		word := got[i*bits/64] >> (i * bits % 64)
		if bits < 64 {
			word &= 1<<bits - 1
		}
		text := lane.(string)
		if strings.HasPrefix(text, "nan:") {
			if !isNaN(want.LaneType, word) {
				return false
			}
			continue
		}
		if n, _ := strconv.ParseUint(text, 10, bits); n != word {
			return false
		}
	}
	return true
}
