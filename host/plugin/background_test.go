package plugin_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/plugin/wasm"
)

// itself is this test's process again, as one that compiles.
func itself(ctx context.Context) *exec.Cmd {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return exec.CommandContext(ctx, path)
}

func inBackground(t *testing.T, compiler func(context.Context) *exec.Cmd) (load func(context.Context, []byte) error, log *logbook) {
	t.Helper()
	engine, log := open(t, plugin.Options{CacheDir: t.TempDir(), Compiler: compiler})
	return func(ctx context.Context, file []byte) error {
		p, err := engine.Load(ctx, "p.wasm", file, plugin.Settings{Background: func() bool { return true }})
		if err != nil {
			return err
		}
		slot, err := p.NewSlot(t.Context())
		if err != nil {
			return errors.Join(err, p.Close(t.Context()))
		}
		if patch := slot.HandleMessage(order(cmdCount)); !patch.OK() {
			t.Error(patch.Outcome)
		}
		return errors.Join(slot.Close(t.Context()), p.Close(t.Context()))
	}, log
}

// A module that another process has compiled is as one that this one has.
func TestCompileInTheBackground(t *testing.T) {
	load, log := inBackground(t, itself)
	for range 2 { // the second time from the cache
		if err := load(t.Context(), module(t, "puppet")); err != nil {
			t.Error(err)
		}
	}
	if strings.Contains(log.String(), "compiled in this process") {
		t.Error(log)
	}
}

// What the module is to blame for is said as it is without another process.
func TestRefusedInTheBackground(t *testing.T) {
	unmeterable := edit(t, func(m *wasm.Module) {
		m.Exports = append(m.Exports, wasm.Export{Name: "relay_meter_x", Kind: wasm.KindFunc})
	})
	uncompilable := edit(t, func(m *wasm.Module) { m.Code[len(m.Code)-1].Body = []byte{0x6a, 0x0b} }) // i32.add of nothing
	load, _ := inBackground(t, itself)
	here, _ := inBackground(t, nil)
	for name, file := range map[string][]byte{"unmeterable": unmeterable, "uncompilable": uncompilable} {
		there, want := load(t.Context(), file), here(t.Context(), file)
		if _, refused := errors.AsType[*plugin.Refusal](there); !refused || there.Error() != want.Error() {
			t.Errorf("%s: %v, want %v", name, there, want)
		}
	}
}

// Where there is no such process, the module is compiled here.
func TestNoBackground(t *testing.T) {
	load, log := inBackground(t, func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, "./nothing") })
	if err := load(t.Context(), module(t, "puppet")); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "compiled in this process") {
		t.Error(log)
	}
}

// A load that is broken off is no refusal.
func TestBackgroundBrokenOff(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, compiler := range []func(context.Context) *exec.Cmd{itself, nil} {
		load, _ := inBackground(t, compiler)
		if err := load(gone, module(t, "puppet")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}
