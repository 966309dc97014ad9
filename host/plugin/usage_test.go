package plugin_test

import (
	"maps"
	"testing"

	"github.com/relayhost/relayhost/host/plugin"
)

// What a plugin has used is the sum over its slots, those that are closed too.
func TestUsage(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	p := load(t, engine, module(t, "puppet"), plugin.Settings{Limits: plugin.Limits{MemoryPages: 64, KeptPages: 10, Failures: 3}})
	slot, other := newSlot(t, p), newSlot(t, p)
	var fuel uint64
	for range 3 {
		slot.HandleMessage(order(cmdCount))
		fuel += slot.Spent()
	}
	slot.HandleMessage(order(cmdTrap))
	fuel += slot.Spent()
	other.HandleMessage(order(cmdGrow, uint32(20)))
	fuel += other.Spent()
	for range 2 {
		other.HandleMessage(order(cmdExit, byte(0)))
		fuel += other.Spent()
	}
	if err := other.Close(t.Context()); err != nil {
		t.Error(err)
	}
	want := map[string]int64{"trap": 1, "exit": 2, "outgrown": 1}
	if got := p.Usage(); got.Fuel != fuel || !maps.Equal(got.Discarded, want) || got.Resting {
		t.Errorf("got %+v, want %d units and %v", got, fuel, want)
	}
	for range 3 {
		slot.HandleMessage(order(cmdTrap))
	}
	if !p.Usage().Resting {
		t.Error("it does not rest")
	}
}
