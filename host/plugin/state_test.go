package plugin_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/plugin/wasm"
	"github.com/relayhost/relayhost/plugins"
)

// memo handles messages with testdata/memo.wat, or a variant of it, and returns
// what it remembered: the global, the byte of memory, the memory's pages.
func memo(t *testing.T, file []byte, state plugin.State, grow ...byte) (answers []string, instances int64, log *logbook) {
	t.Helper()
	ctx, closed := closings(t.Context())
	engine, log := open(t, plugin.Options{})
	p, err := engine.Load(ctx, "memo.wasm", file, plugin.Settings{State: state})
	if err != nil {
		t.Fatal(err)
	}
	slot, err := p.NewSlot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, pages := range grow {
		got := slot.HandleMessage(&message.Message{Event: []byte{pages}, Attempt: 1})
		if len(got.Data) != 3 {
			t.Fatalf("got %+v", got)
		}
		answers = append(answers, string(got.Data))
	}
	if err := slot.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
	return answers, closed.Load(), log
}

func same(answers []string, want string) bool {
	for _, a := range answers {
		if a != want {
			return false
		}
	}
	return true
}

func TestStateReuse(t *testing.T) {
	answers, instances, _ := memo(t, module(t, "memo"), "", 0, 0, 1)
	if strings.Join(answers, " ") != "\x0b\x15\x02 \x0c\x16\x02 \x0d\x17\x03" || instances != 1 {
		t.Errorf("%q of %d instances", answers, instances)
	}
}

// Every message finds what configure left, in memory and globals, and where the
// system allows it no instance is made for that.
func TestStateMessage(t *testing.T) {
	answers, instances, _ := memo(t, module(t, "memo"), plugin.StateMessage, 0, 0, 0, 0)
	if !same(answers, "\x0b\x15\x02") {
		t.Errorf("got %q", answers)
	}
	if runtime.GOOS == "linux" && instances != 1 {
		t.Errorf("it took %d instances", instances)
	}
}

// A memory that has grown cannot shrink: the next message gets a new instance.
func TestStateMessageGrown(t *testing.T) {
	answers, instances, _ := memo(t, module(t, "memo"), plugin.StateMessage, 1, 1, 1)
	if !same(answers, "\x0b\x15\x03") || instances < 4 {
		t.Errorf("%q of %d instances", answers, instances)
	}
}

// What has other state than memory and numbers gets a new instance each time,
// and the log says why.
func TestStateMessageFresh(t *testing.T) {
	m, err := wasm.Decode(module(t, "memo"))
	if err != nil {
		t.Fatal(err)
	}
	m.Globals = append(m.Globals, wasm.Global{
		Type: wasm.GlobalType{Type: wasm.FuncRef, Mutable: true}, Init: wasm.Expr{0xd0, 0x70, 0x0b}, // ref.null func
	})
	answers, instances, log := memo(t, m.Encode(), plugin.StateMessage, 0, 0, 0)
	if !same(answers, "\x0b\x15\x02") || instances < 4 {
		t.Errorf("%q of %d instances", answers, instances)
	}
	if !strings.Contains(log.String(), "global 2 is a mutable funcref") {
		t.Errorf("no word of why: %s", log)
	}
}

// A failure in between changes nothing, nor does a guest with a runtime of its
// own.
func TestStateMessageOfGo(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	slot := newSlot(t, load(t, engine, plugins.Upcase, plugin.Settings{
		State: plugin.StateMessage, Clock: plugin.ClockFixed, Random: plugin.RandomSeeded,
	}))
	first := slot.HandleMessage(event(t, person("bill")))
	fuel := slot.Spent()
	for i := range 200 {
		if i%50 == 0 {
			slot.HandleMessage(&message.Message{Event: []byte("\xff")})
		}
		if got := slot.HandleMessage(event(t, person("bill"))); string(got.Data) != string(first.Data) || slot.Spent() != fuel {
			t.Fatalf("message %d: %+v for %d units, and the first %+v for %d", i, got, slot.Spent(), first, fuel)
		}
	}
}

// BenchmarkState shows what it costs to put an instance back for each message.
func BenchmarkState(b *testing.B) {
	for _, guest := range []struct {
		name  string
		file  []byte
		event *message.Message
	}{
		{"small", module(b, "memo"), &message.Message{Event: []byte{0}, Attempt: 1}},
		{"go", plugins.Upcase, event(b, person("bill"))},
	} {
		for _, state := range []plugin.State{plugin.StateReuse, plugin.StateMessage} {
			b.Run(guest.name+"/"+string(state), func(b *testing.B) {
				engine, _ := open(b, plugin.Options{})
				slot := newSlot(b, load(b, engine, guest.file, plugin.Settings{State: state}))
				for b.Loop() {
					if got := slot.HandleMessage(guest.event); !got.OK() {
						b.Fatalf("got %+v", got)
					}
				}
			})
		}
	}
}
