package plugin_test

import (
	"slices"
	"testing"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// Plugins of the same file share their code, whichever is closed first.
func TestSharedCode(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	file := module(t, "puppet")
	var stages []string
	settings := func(l plugin.Limits) plugin.Settings {
		return plugin.Settings{
			Pipeline: "test", NeedBatch: true, Limits: l,
			Progress: func(stage string) { stages = append(stages, stage) },
		}
	}
	var plugins []*plugin.Plugin
	for _, c := range []struct {
		name     string
		limits   plugin.Limits
		compiled bool
	}{
		{"the first", plugin.Limits{}, true},
		{"the same", plugin.Limits{}, false},
		{"other limits of a call", plugin.Limits{Outputs: 3}, false},
		{"other limits in the code", plugin.Limits{MemoryPages: 100}, true},
	} {
		stages = nil
		p, err := engine.Load(t.Context(), "p.wasm", file, settings(c.limits))
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(stages, "compile"); got != c.compiled {
			t.Errorf("%s: compiled %v: %v", c.name, got, stages)
		}
		plugins = append(plugins, p)
	}
	for range 2 { // again does no harm to the others
		if err := plugins[0].Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for i, p := range plugins[1:] {
		slot := newSlot(t, p)
		if patch := slot.HandleMessage(order(cmdCount)); patch.Kind != message.OK {
			t.Errorf("%d: %+v", i, patch.Outcome)
		}
		if err := slot.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	stages = nil
	p, err := engine.Load(t.Context(), "p.wasm", file, settings(plugin.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(stages, "compile") {
		t.Error("the code outlived its last plugin")
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
