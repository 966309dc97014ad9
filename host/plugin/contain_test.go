package plugin_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// Whatever never ends by itself is ended, by its deadline or by its fuel,
// whichever is there first; garbage collections proceed meanwhile, and the next
// message is handled.
func TestEndlessCalls(t *testing.T) {
	deadline := plugin.Limit{Deadline: 30 * time.Millisecond}
	fuel := plugin.Limit{Deadline: time.Hour, Fuel: 20_000_000}
	for name, o := range map[string]*message.Message{
		"spin": order(cmdSpin), "double": order(cmdDouble), "fill": order(cmdFill), "flood": order(cmdFlood),
	} {
		for kind, limit := range map[message.Kind]plugin.Limit{message.Deadline: deadline, message.Fuel: fuel} {
			t.Run(name+" "+kind.String(), func(t *testing.T) {
				engine, _ := open(t, plugin.Options{})
				slot := newSlot(t, load(t, engine, module(t, "puppet"),
					plugin.Settings{NeedBatch: true, Limits: plugin.Limits{Message: limit, Batch: limit}}))
				collected := make(chan struct{})
				go func() { runtime.GC(); close(collected) }()
				if got := slot.HandleMessage(o); got.Kind != kind || strings.Contains(got.Reason, "relay_meter") {
					t.Errorf("message: %v %q, want %v", got.Kind, got.Reason, kind)
				}
				<-collected
				for _, got := range slot.HandleBatch(&message.Batch{Messages: []*message.Message{o, o}}).Outcomes {
					if got.Kind != kind {
						t.Errorf("batch: %v %q, want %v", got.Kind, got.Reason, kind)
					}
				}
				if next := slot.HandleMessage(order(cmdCount)); string(next.Data) != "\x01" {
					t.Errorf("the next message: %+v", next)
				}
			})
		}
	}
}

// A module that spins when it starts is refused.
func TestEndlessStart(t *testing.T) {
	for name, file := range map[string][]byte{
		"_initialize": puppet(t, "x_spin", abi.ExportInitialize),
		"configure":   puppet(t, "x_configure_spin", abi.ExportConfigure),
	} {
		engine, _ := open(t, plugin.Options{})
		short := plugin.Limit{Deadline: 20 * time.Millisecond}
		limits := plugin.Limits{Start: short, Configure: short}
		_, err := engine.Load(t.Context(), "p", file, plugin.Settings{Limits: limits})
		if err == nil || !strings.Contains(err.Error(), name+": the deadline has passed") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Interrupt ends the call that runs; nothing runs afterwards.
func TestInterrupt(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	slot := newSlot(t, load(t, engine, module(t, "puppet"), plugin.Settings{}))
	ended := make(chan message.Patch, 1)
	go func() { ended <- slot.HandleMessage(order(cmdSpin)) }()
	slot.Interrupt()
	if got := <-ended; got.OK() {
		t.Errorf("got %+v", got)
	}
	if got := slot.HandleMessage(order(cmdCount)); got.OK() {
		t.Errorf("a call after the interruption: %+v", got)
	}
}

// A guest that gives up for want of memory is told from one that traps.
func TestOutOfMemory(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	slot := newSlot(t, load(t, engine, module(t, "puppet"), plugin.Settings{Limits: plugin.Limits{MemoryPages: 64}}))
	slot.HandleMessage(order(cmdGrow, uint32(1000)))
	if got := slot.HandleMessage(order(cmdTrap)); got.Kind != message.Memory {
		t.Errorf("got %v %q", got.Kind, got.Reason)
	}
	if got := slot.HandleMessage(order(cmdTrap)); got.Kind != message.Trap {
		t.Errorf("a new instance: %v %q", got.Kind, got.Reason)
	}
}
