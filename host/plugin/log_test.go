package plugin_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/relayhost/relayhost/host/plugin"
)

// say makes the puppet log a text of its own event.
func say(slot *plugin.Slot, text string) { slot.HandleMessage(order(cmdPrint, text)) }

func TestGuestLog(t *testing.T) {
	slot, log := start(t, module(t, "puppet"))
	slot.HandleMessage(order(cmdLog, uint32(2), uint32(16), uint32(13)))
	got := log.lines()[len(log.lines())-1]
	for _, want := range []string{"level=WARN", `msg="spam and eggs"`, "pipeline=test", "plugin=puppet.wasm", "digest=", "slot=1", "call=handle_message", "source=log"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

func TestGuestLogLevels(t *testing.T) {
	slot, log := start(t, module(t, "puppet"))
	for level, want := range map[uint32]string{0: "DEBUG", 1: "INFO", 2: "WARN", 3: "ERROR", 4: "ERROR", 0xffffffff: "ERROR"} {
		slot.HandleMessage(order(cmdLog, level, uint32(16), uint32(4)))
		if got := log.lines()[len(log.lines())-1]; !strings.Contains(got, "level="+want) {
			t.Errorf("level %d: %s", int32(level), got)
		}
	}
}

// A guest cannot make a line that passes for the host's, nor move the
// terminal's cursor.
func TestForgedLines(t *testing.T) {
	slot, log := start(t, module(t, "puppet"))
	before := len(log.lines())
	say(slot, "one\ntime=now level=ERROR msg=forged\r\x1b[2J\u202e\xff\n")
	lines := log.lines()[before-1:]
	if len(lines) > 3 {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "time=") || strings.ContainsAny(line, "\r\x1b\u202e") || !utf8.ValidString(line) {
			t.Errorf("not the host's own line: %q", line)
		}
		if strings.Contains(line, "forged") && !strings.Contains(line, "source=stdout") {
			t.Errorf("forged: %q", line)
		}
	}
}

// Standard output without a line feed is held up to one line, and not lost.
func TestLineWithoutEnd(t *testing.T) {
	engine, log := open(t, plugin.Options{})
	slot, err := load(t, engine, module(t, "puppet"), plugin.Settings{}).NewSlot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		say(slot, strings.Repeat("x", 100))
	}
	if strings.Contains(log.String(), "xxx") {
		t.Error("logged before the line ended")
	}
	if err := slot.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "x"); n < 8000 || n > 8300 {
		t.Errorf("logged %d of 20,000 bytes, want the first 8 KiB", n)
	}
}

// A flood is cut to the slot's allowance, which comes back with time and not
// with a new instance, and how much was cut is said.
func TestLogFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slot, log := start(t, module(t, "puppet"))
		flood := func(want int) {
			before := strings.Count(log.String(), "msg=spam")
			for range 1000 {
				slot.HandleMessage(order(cmdLog, uint32(1), uint32(16), uint32(4)))
			}
			if got := strings.Count(log.String(), "msg=spam") - before; got != want {
				t.Errorf("%d lines of a flood, want %d", got, want)
			}
		}
		flood(200)
		slot.HandleMessage(order(cmdTrap))
		flood(0)
		time.Sleep(500 * time.Millisecond)
		flood(50)
		if !strings.Contains(log.String(), `msg="log lines suppressed" pipeline=test`) || !strings.Contains(log.String(), "lines=1800") {
			t.Errorf("no word of what was suppressed: %.2000s", log)
		}
		_ = slot.Close(t.Context())
		if !strings.HasSuffix(log.String(), "lines=950\n") {
			t.Error("no word of what was suppressed last")
		}
	})
}
