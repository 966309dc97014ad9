package plugin_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// WASI gives a guest nothing but randomness.
func TestNoAuthority(t *testing.T) {
	t.Setenv("RELAYHOST_SECRET", "x")
	const badf, perm = 8, 63 // of WASI
	var random [][]byte
	engine, _ := open(t, plugin.Options{})
	slot := newSlot(t, load(t, engine, module(t, "nosy"), plugin.Settings{}))
	for range 2 {
		got := slot.HandleMessage(&message.Message{Attempt: 1})
		if len(got.Data) != 28 {
			t.Fatalf("got %+v", got)
		}
		for i, want := range []uint32{0, 0, badf, perm, badf} {
			if v := binary.LittleEndian.Uint32(got.Data[4*i:]); v != want {
				t.Errorf("answer %d of WASI is %d, want %d", i, v, want)
			}
		}
		random = append(random, got.Data[20:])
	}
	if bytes.Equal(random[0], random[1]) {
		t.Errorf("twice the same random bytes: %x", random[0])
	}
}

// A guest sleeps as long as it asked for, and no longer than its deadline.
func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slot, _ := start(t, module(t, "puppet"))
		began := time.Now()
		if got := slot.HandleMessage(order(cmdSleep, uint64(2*time.Second))); !got.OK() {
			t.Errorf("got %+v", got)
		}
		if slept := time.Since(began); slept != 2*time.Second {
			t.Errorf("slept for %v, want 2 s", slept)
		}
		got := slot.HandleMessage(order(cmdSleep, uint64(time.Hour)))
		if got.Kind != message.Deadline {
			t.Errorf("got %+v", got)
		}
		if slept := time.Since(began); slept < 7*time.Second || slept > 7*time.Second+time.Millisecond {
			t.Errorf("slept until %v, want 2 s and the deadline's 5 s", slept)
		}
	})
}
