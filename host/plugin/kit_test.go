package plugin_test

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

func TestMain(m *testing.M) {
	plugin.CompileChild()
	goleak.VerifyTestMain(m)
}

// The puppet's commands; testdata/puppet.wat says what each does.
const (
	cmdRaw byte = iota
	cmdTrap
	cmdExit
	cmdLog
	cmdGrow
	cmdEcho
	cmdSpin
	cmdRecurse
	cmdDouble
	cmdFill
	cmdPrint
	cmdSleep
	cmdCount
	cmdOverwrite
	cmdFlood
	cmdTrapNamed
)

func module(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.ReadFile("testdata/" + name + ".wasm")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// puppet is the puppet with exports renamed: "x_trap", "_initialize", … A name
// of "" removes the export.
func puppet(t testing.TB, renames ...string) []byte {
	t.Helper()
	return edit(t, func(m *wasm.Module) {
		for i := 0; i < len(renames); i += 2 {
			rename(m, renames[i], renames[i+1])
		}
	})
}

func rename(m *wasm.Module, from, to string) {
	kept := m.Exports[:0:0]
	for _, e := range m.Exports {
		switch {
		case e.Name == to && from != to:
			continue // what had the name
		case e.Name == from && to == "":
			continue
		case e.Name == from:
			e.Name = to
		}
		kept = append(kept, e)
	}
	m.Exports = kept
}

// edit is the puppet after a change.
func edit(t testing.TB, change func(*wasm.Module)) []byte {
	t.Helper()
	m, err := wasm.Decode(module(t, "puppet"))
	if err != nil {
		t.Fatal(err)
	}
	change(m)
	return m.Encode()
}

// logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logbook) lines() []string {
	return strings.Split(strings.TrimSuffix(l.String(), "\n"), "\n")
}

func open(t testing.TB, o plugin.Options) (*plugin.Engine, *logbook) {
	t.Helper()
	log := &logbook{}
	o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	engine, err := plugin.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return engine, log
}

func load(t testing.TB, e *plugin.Engine, file []byte, s plugin.Settings) *plugin.Plugin {
	t.Helper()
	p, err := e.Load(t.Context(), "puppet.wasm", file, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func newSlot(t testing.TB, p *plugin.Plugin) *plugin.Slot {
	t.Helper()
	slot, err := p.NewSlot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slot.Close(t.Context()) })
	return slot
}

// start loads a module and makes one slot of it.
func start(t testing.TB, file []byte) (*plugin.Slot, *logbook) {
	t.Helper()
	engine, log := open(t, plugin.Options{})
	return newSlot(t, load(t, engine, file, plugin.Settings{Pipeline: "test", NeedBatch: true})), log
}

// order is an event that the puppet obeys.
func order(cmd byte, args ...any) *message.Message {
	event := []byte{cmd}
	for _, a := range args {
		switch a := a.(type) {
		case string:
			event = append(append(event, byte(len(a))), a...)
		case uint32:
			event = binary.LittleEndian.AppendUint32(event, a)
		case uint64:
			event = binary.LittleEndian.AppendUint64(event, a)
		case byte:
			event = append(event, a)
		}
	}
	return &message.Message{ID: "1", Event: event, Attempt: 1}
}

// packed is what a handler returns for an output.
func packed(ptr, size uint32) uint64 { return uint64(ptr)<<32 | uint64(size) }
