package plugin_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tetratelabs/wazero/experimental"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/plugins"
)

// closings counts the instances that end among those made with the context.
func closings(ctx context.Context) (context.Context, *atomic.Int64) {
	n := new(atomic.Int64)
	return experimental.WithCloseNotifier(ctx, experimental.CloseNotifyFunc(
		func(context.Context, uint32) { n.Add(1) })), n
}

// Every instance ends, and no more are made than one for the slot, one for each
// that was lost, and one spare.
func TestNoInstanceIsLeft(t *testing.T) {
	for name, orders := range map[string][]*message.Message{
		"nothing lost": nil,
		"traps":        {order(cmdTrap), order(cmdTrap), order(cmdTrap)},
		"exits":        {order(cmdExit, byte(0)), order(cmdExit, byte(1))},
		"breaches":     {order(cmdRaw, packed(1<<31, 8)), order(cmdEcho, "\x0a")},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, closed := closings(t.Context())
			engine, _ := open(t, plugin.Options{})
			p, err := engine.Load(ctx, "p.wasm", module(t, "puppet"), plugin.Settings{NeedBatch: true})
			if err != nil {
				t.Fatal(err)
			}
			slot, err := p.NewSlot(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range orders {
				slot.HandleMessage(o)
				if got := slot.HandleMessage(order(cmdCount)); !got.OK() {
					t.Errorf("after a failure: %+v", got)
				}
			}
			if err := slot.Close(ctx); err != nil {
				t.Error(err)
			}
			if err := p.Close(ctx); err != nil {
				t.Error(err)
			}
			want := int64(1)
			if len(orders) > 0 {
				want += int64(len(orders)) + 1
			}
			if got := closed.Load(); got != want {
				t.Errorf("%d instances ended, want %d", got, want)
			}
		})
	}
}

// A plugin that no slot was made of gives its first instance back, too.
func TestUnusedPlugin(t *testing.T) {
	ctx, closed := closings(t.Context())
	engine, _ := open(t, plugin.Options{})
	p, err := engine.Load(ctx, "p.wasm", module(t, "lifecycle"), plugin.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(ctx); err != nil || closed.Load() != 1 {
		t.Errorf("%v; %d instances ended, want 1", err, closed.Load())
	}
}

// A plugin that cannot be started loses no message: it is tried ever less
// often, its slots wait meanwhile, and it is back when it can be.
func TestPluginThatWillNotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, closed := closings(t.Context())
		engine, log := open(t, plugin.Options{})
		p, err := engine.Load(ctx, "moody.wasm", module(t, "moody"), plugin.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		slot, err := p.NewSlot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		good, trap := &message.Message{}, &message.Message{Event: []byte("a trap for moody")}

		time.Sleep(time.Minute) // moody refuses to be configured in every second minute
		began := time.Now()
		if got := slot.HandleMessage(trap); got.Kind != message.Trap {
			t.Fatalf("got %+v", got)
		}
		before := closed.Load()
		if got := slot.HandleMessage(good); !got.OK() {
			t.Errorf("not back: %+v", got)
		}
		if waited := time.Since(began); waited < time.Minute || waited > 91*time.Second {
			t.Errorf("waited for %v, want what is left of the minute and at most 30 s more", waited)
		}
		if n := closed.Load() - before; n < 5 || n > 12 {
			t.Errorf("%d attempts, want 5 to 12", n)
		}
		for _, want := range []string{"given a rest", "configure: not now...", "plugin works again"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log has no %q: %s", want, log)
			}
		}
		if err := slot.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}

// A spare that is ready needs no start: the slot goes on with it although the
// plugin could not be started now.
func TestSpareIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, _ := open(t, plugin.Options{})
		slot := newSlot(t, load(t, engine, module(t, "moody"), plugin.Settings{}))
		good, trap := &message.Message{}, &message.Message{Event: []byte("a trap for moody")}
		slot.HandleMessage(trap)
		slot.HandleMessage(good)
		synctest.Wait()
		time.Sleep(time.Minute)
		slot.HandleMessage(trap)
		if got := slot.HandleMessage(good); !got.OK() {
			t.Errorf("there was no spare: %+v", got)
		}
	})
}

// The steps of an instance's life come in order, for the spare as well.
func TestLifecycle(t *testing.T) {
	engine, log := open(t, plugin.Options{})
	p := load(t, engine, module(t, "lifecycle"), plugin.Settings{Pipeline: "orders", Config: `{"a":1}`})
	slot, err := p.NewSlot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := slot.Close(t.Context()); err != nil {
		t.Error(err)
	}
	want := []string{
		"level=DEBUG msg=start", "level=INFO msg=initialize", "level=WARN msg=configure",
		`level=ERROR msg="\\n\\x06orders\\x12\\a{\"a\":1}"`, "level=ERROR msg=teardown",
	}
	lines := log.lines()
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d: %q", len(lines), len(want), lines)
	}
	for i := range want {
		if !strings.Contains(lines[i], want[i]) {
			t.Errorf("line %d is %s, want %s", i, lines[i], want[i])
		}
	}
}

func TestClosedEngine(t *testing.T) {
	engine, err := plugin.Open(t.Context(), plugin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := engine.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := engine.Load(t.Context(), "p.wasm", plugins.Upcase, plugin.Settings{}); err == nil {
		t.Error("a closed engine loads")
	}
}
