package plugin_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// A plugin that traps each time burns no more messages than its failures in a
// row allow, and then one for each rest; each rest is twice as long.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, _ := open(t, plugin.Options{})
		p := load(t, engine, module(t, "puppet"), plugin.Settings{Limits: plugin.Limits{Failures: 5}})
		slot, other := newSlot(t, p), newSlot(t, p)
		began := time.Now()
		for i, want := range []int64{0, 0, 0, 0, 0, 100, 300, 700, 1500} {
			if got := slot.HandleMessage(order(cmdTrap)); got.Kind != message.Trap {
				t.Fatalf("got %+v", got)
			}
			if at := time.Since(began).Milliseconds(); at != want {
				t.Errorf("failure %d came after %d ms, want %d", i+1, at, want)
			}
		}
		// The plugin's other slots rest with it, until a message succeeds.
		if got := other.HandleMessage(order(cmdCount)); !got.OK() || time.Since(began) != 3100*time.Millisecond {
			t.Errorf("after %v: %+v", time.Since(began), got)
		}
		slot.HandleMessage(order(cmdTrap))
		slot.HandleMessage(order(cmdCount))
		if at := time.Since(began); at != 3100*time.Millisecond {
			t.Errorf("at rest until %v though it works", at)
		}
	})
}

// Only one slot tries a plugin after its rest; the others wait for what comes
// of it.
func TestBreakerTriesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, _ := open(t, plugin.Options{})
		p := load(t, engine, module(t, "puppet"), plugin.Settings{Limits: plugin.Limits{Failures: 1}})
		first, second := newSlot(t, p), newSlot(t, p)
		first.HandleMessage(order(cmdTrap))
		began := time.Now()
		go first.HandleMessage(order(cmdSleep, uint64(2*time.Second)))
		time.Sleep(time.Second) // the first slot sleeps in its message
		second.HandleMessage(order(cmdCount))
		if at := time.Since(began); at != 2100*time.Millisecond {
			t.Errorf("the second slot went ahead after %v", at)
		}
		synctest.Wait()
	})
}

// Interrupt ends a rest; the message has not been seen by the plugin.
func TestInterruptedRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, _ := open(t, plugin.Options{})
		slot := newSlot(t, load(t, engine, module(t, "puppet"), plugin.Settings{Limits: plugin.Limits{Failures: 1}}))
		for range 10 {
			slot.HandleMessage(order(cmdTrap))
		}
		time.AfterFunc(time.Second, slot.Interrupt)
		began := time.Now()
		if got := slot.HandleMessage(order(cmdCount)); got.Kind != message.Unavailable || !got.Retryable {
			t.Errorf("got %+v", got)
		}
		if at := time.Since(began); at != time.Second {
			t.Errorf("the rest was ended after %v, want 1 s", at)
		}
	})
}

// What a handler itself fails is no failure of the plugin.
func TestHandlerFailuresNeedNoRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, _ := open(t, plugin.Options{})
		slot := newSlot(t, load(t, engine, module(t, "puppet"), plugin.Settings{Limits: plugin.Limits{Failures: 1}}))
		began := time.Now()
		for range 100 {
			if got := slot.HandleMessage(order(cmdEcho, "\x10\x01\x1a\x02no")); got.Kind != message.Handler {
				t.Fatalf("got %+v", got)
			}
		}
		if at := time.Since(began); at != 0 {
			t.Errorf("rested for %v", at)
		}
	})
}

// An instance that has grown beyond what may be kept is replaced, after its
// message; one that began so large is not.
func TestOutgrownInstance(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	slot := newSlot(t, load(t, engine, module(t, "puppet"),
		plugin.Settings{Limits: plugin.Limits{MemoryPages: 64, KeptPages: 10}}))
	count := func() string { return string(slot.HandleMessage(order(cmdCount)).Data) }
	count()
	slot.HandleMessage(order(cmdGrow, uint32(8)))
	if got := count(); got != "\x02" {
		t.Errorf("replaced at its share: count %q", got)
	}
	if got := slot.HandleMessage(order(cmdGrow, uint32(1))); !got.OK() {
		t.Errorf("the message that grew it: %+v", got)
	}
	if got := count(); got != "\x01" {
		t.Errorf("kept beyond its share: count %q", got)
	}
}
