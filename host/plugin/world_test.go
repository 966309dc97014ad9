package plugin_test

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/plugins"
)

// told is what testdata/world.wat was told.
type told struct {
	wall, mono time.Duration
	random     uint64
	closed     uint32
}

// ask has a guest sleep for so long and tell what it was told, in an event of
// this name.
func ask(t *testing.T, slot *plugin.Slot, id string, sleep time.Duration) told {
	t.Helper()
	event := binary.LittleEndian.AppendUint64(nil, uint64(sleep))
	got := slot.HandleMessage(&message.Message{ID: id, Event: event, Attempt: 1})
	if len(got.Data) != 28 {
		t.Fatalf("got %+v", got)
	}
	number := binary.LittleEndian.Uint64
	return told{
		wall: time.Duration(number(got.Data)), mono: time.Duration(number(got.Data[8:])),
		random: number(got.Data[16:]), closed: binary.LittleEndian.Uint32(got.Data[24:]),
	}
}

func worldly(t *testing.T, s plugin.Settings) *plugin.Slot {
	t.Helper()
	engine, _ := open(t, plugin.Options{})
	return newSlot(t, load(t, engine, module(t, "world"), s))
}

// The time that a guest is told is the machine's, in whatever steps.
func TestClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for clock, step := range map[plugin.Clock]time.Duration{"": 1, plugin.ClockReal: 1, plugin.ClockCoarse: 10 * time.Millisecond} {
			slot := worldly(t, plugin.Settings{Clock: clock})
			first := ask(t, slot, "1", 0)
			now := time.Duration(time.Now().UnixNano())
			if first.wall != now.Truncate(step) {
				t.Errorf("%s: told %v, and it is %v", clock, first.wall, now)
			}
			passed := ask(t, slot, "1", 25*time.Millisecond).mono - first.mono
			if off := passed - 25*time.Millisecond; off <= -step || off >= step {
				t.Errorf("%s: %v went by, want 25 ms", clock, passed)
			}
			if got := ask(t, slot, "1", 0); got.wall%step != 0 || (got.mono-1)%step != 0 && step > 1 {
				t.Errorf("%s: told %v and %v", clock, got.wall, got.mono)
			}
		}
	})
}

// A fixed clock stands still, except that a sleep moves it, in no time.
func TestFixedClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slot := worldly(t, plugin.Settings{Clock: plugin.ClockFixed})
		began := time.Now()
		start := time.Duration(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
		if got := ask(t, slot, "1", time.Hour); got.wall != start || got.mono != 1+time.Hour {
			t.Errorf("told %+v", got)
		}
		time.Sleep(time.Second)
		if got := ask(t, slot, "1", 0); got.wall != start+time.Hour || got.mono != 1+time.Hour {
			t.Errorf("an hour later: told %+v", got)
		}
		if at := time.Since(began); at != time.Second {
			t.Errorf("the sleep took %v", at)
		}
		ask(t, slot, "1", 1<<63-1)
		if got := ask(t, slot, "1", 1<<63-1); got.mono < time.Hour {
			t.Errorf("the clock has turned over: %+v", got)
		}
	})
}

// Seeded randomness is the same for the same event, whichever slot handles it
// and after whatever else, and differs between events.
func TestSeededRandomness(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	p := load(t, engine, module(t, "world"), plugin.Settings{Random: plugin.RandomSeeded})
	one, other := newSlot(t, p), newSlot(t, p)
	a, b := ask(t, one, "a", 0), ask(t, one, "b", 0)
	if again := ask(t, other, "b", 0); again.random != b.random || a.random == b.random {
		t.Errorf("drew %x and %x, and again %x", a.random, b.random, again.random)
	}
	machine := worldly(t, plugin.Settings{})
	if ask(t, machine, "a", 0).random == ask(t, machine, "a", 0).random {
		t.Error("real randomness repeats itself")
	}
}

// No message can take the standard streams from those that follow.
func TestStreamsStay(t *testing.T) {
	slot := worldly(t, plugin.Settings{})
	for range 2 {
		if got := ask(t, slot, "1", 0); got.closed != 58 {
			t.Errorf("fd_close answers %d, want 58, ENOTSUP", got.closed)
		}
	}
}

// With a fixed clock and seeded randomness, what comes out and what it costs is
// the same in every run, also of a real guest with a runtime.
func TestReplay(t *testing.T) {
	type result struct {
		data string
		fuel uint64
	}
	replay := func() (results []result) {
		engine, _ := open(t, plugin.Options{})
		slot := newSlot(t, load(t, engine, plugins.Upcase, plugin.Settings{Clock: plugin.ClockFixed, Random: plugin.RandomSeeded}))
		for _, name := range []string{"bill", "betty", "", "bäbel", "\x00"} {
			for range 50 {
				got := slot.HandleMessage(event(t, person(name)))
				results = append(results, result{string(got.Data) + got.Reason, slot.Spent()})
			}
		}
		return results
	}
	first := replay()
	for range 3 {
		for i, got := range replay() {
			if got != first[i] {
				t.Fatalf("message %d: %+v, and the first time %+v", i, got, first[i])
			}
		}
	}
	if first[0].fuel == 0 {
		t.Error("it cost nothing")
	}
}
