package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/message"
)

// reloads wants a reload to do this; those who are not named are not expected.
func (w *works) reloads(want control.Reloaded) {
	w.t.Helper()
	got, err := w.client.Reload(w.t.Context())
	must(w.t, err)
	for _, names := range []*[]string{&want.Added, &want.Removed, &want.Changed, &want.Unchanged} {
		if *names == nil {
			*names = []string{}
		}
	}
	if !reflect.DeepEqual(got, want) {
		w.t.Errorf("reloaded %+v, want %+v", got, want)
	}
}

// refuses wants a reload to fail, and nothing to be another than before.
func (w *works) refuses(why string) {
	w.t.Helper()
	before := w.pipelines()
	if _, err := w.client.Reload(w.t.Context()); err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "nothing has changed") {
		w.t.Errorf("reloaded: %v, want %s", err, why)
	}
	if after := w.pipelines(); !reflect.DeepEqual(before, after) {
		w.t.Errorf("the pipelines %v, before %v", after, before)
	}
}

// pipelines are those that there are, with what is live.
func (w *works) pipelines() map[string]string {
	w.t.Helper()
	all := map[string]string{}
	for name := range w.Books() {
		p, err := w.client.Plugin(w.t.Context(), name)
		must(w.t, err)
		all[name] = p.Live.Digest
	}
	return all
}

// withAgain has a second plugin beside the first.
func withAgain(t *testing.T, more string) *works {
	t.Helper()
	w := newWorks(t, more)
	put(t, filepath.Join(w.dir, "again.wasm"), wilful(t, 50, behaviour{}))
	return w
}

// Pipelines come, change and go, and the one beside them does not miss a beat.
func TestReload(t *testing.T) {
	w := withAgain(t, "")
	end := w.flow()
	w.reloads(control.Reloaded{Unchanged: []string{"users"}})

	w.again(worksBatches)
	w.reloads(control.Reloaded{Added: []string{"again"}, Unchanged: []string{"users"}})
	w.within("the new one has handled some", func() bool { return w.by(50) > 10 })
	if !strings.Contains(w.ask(t, "/metrics"), `pipeline="again"`) {
		t.Error("it has no metrics")
	}

	received := w.Books()["users"].Received
	w.again(strings.Replace(worksBatches, "20", "7", 1))
	w.reloads(control.Reloaded{Changed: []string{"again"}, Unchanged: []string{"users"}})
	w.within("the other one has handled more", func() bool { return w.Books()["again"].Settled[message.OK] > 10 })
	if now := w.Books()["users"].Received; now < received { // its books have begun anew
		t.Errorf("received %d, and %d before", now, received)
	}
	w.within("the one beside it has received more", func() bool { return w.Books()["users"].Received > received })

	w.again("")
	w.reloads(control.Reloaded{Removed: []string{"again"}, Unchanged: []string{"users"}})
	if strings.Contains(w.ask(t, "/metrics"), `pipeline="again"`) {
		t.Error("the metrics of what was removed are there")
	}
	if _, err := w.client.Plugin(t.Context(), "again"); err == nil || !strings.Contains(err.Error(), `there is no pipeline "again"`) {
		t.Errorf("the plugin of what was removed: %v", err)
	}
	end()
	for _, level := range []string{"level=ERROR", "level=WARN"} {
		if got := w.lines(level); len(got) > 0 {
			t.Errorf("%q", got)
		}
	}
	w.down()
}

// What differs in the plugin alone goes live as another version does: the pipeline
// goes on.
func TestReloadSettings(t *testing.T) {
	w := newWorks(t, "")
	end := w.flow()
	marked := func(mark string) {
		t.Helper()
		w.within("the settings are live", func() bool {
			all := w.came()
			return len(all) > 0 && all[len(all)-1].mark == mark
		})
	}
	marked("v")
	for _, mark := range []string{"x", "y"} {
		received := w.Books()["users"].Received
		w.configure(fmt.Sprintf("config = { mark = %q }\n", mark))
		w.reloads(control.Reloaded{Changed: []string{"users"}})
		marked(mark)
		if now := w.Books()["users"].Received; now < received {
			t.Errorf("the pipeline is another one: received %d, and %d before", now, received)
		}
	}
	put(t, w.module, wilful(t, 2, behaviour{})) // which gets them, too
	w.live(wilful(t, 2, behaviour{}))
	marked("y")

	number := w.plugin().Rollout.Number
	w.configure("config = { mark = \"y\" }\n" + canary(longWindow))
	w.reloads(control.Reloaded{Changed: []string{"users"}})
	if p := w.plugin(); p.Mode != "canary" || p.Rollout.Number != number {
		t.Errorf("%+v", p)
	}
	put(t, w.module, wilful(t, 3, behaviour{}))
	w.trying(wilful(t, 3, behaviour{}))
	end()
	w.down()
}

// A reload of which anything is wrong changes nothing.
func TestReloadRefused(t *testing.T) {
	w := withAgain(t, "")
	end := w.flow()
	broken := filepath.Join(w.dir, "again.wasm")
	rest := func(text string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.rest = text
	}
	for _, c := range []struct{ rest, why string }{
		{"nonsense", "relayhost.toml"},
		{"[versions]\nkeep = 7\n", "[versions] cannot change while the host runs"},
		{"[metrics]\nlisten = \"127.0.0.1:1\"\n", "[metrics] cannot change"},
		{"[journal]\nfsync = \"off\"\n", "[journal] cannot change"},
	} {
		rest(c.rest)
		w.refuses(c.why)
	}
	put(t, broken, wilful(t, 50, behaviour{configure: 3}))
	w.configure("config = { mark = \"x\" }\n")
	w.again(worksBatches)
	w.refuses("wilful")

	put(t, broken, wilful(t, 50, behaviour{}))
	w.reloads(control.Reloaded{Added: []string{"again"}, Changed: []string{"users"}})
	w.within("settings are live", func() bool { return w.plugin().Rollout != nil && w.plugin().Rollout.Result == "live" })

	put(t, w.module, []byte("<html>"))
	w.ended([]byte("<html>"), control.ResultRefused)
	w.configure("[pipeline.plugin.limits]\nmemory = \"64KiB\"\n")
	w.refuses("not a WebAssembly module") // with other settings it is looked at again
	put(t, w.module, wilful(t, 1, behaviour{}))
	w.refuses("memory")
	end()
	w.down()
}

// A reload does not undo what an operator chose.
func TestReloadKeepsChoice(t *testing.T) {
	w := newWorks(t, "")
	put(t, w.module, wilful(t, 2, behaviour{}))
	w.live(wilful(t, 2, behaviour{}))
	_, err := w.client.Rollback(t.Context(), "users", "")
	must(t, err)
	w.live(wilful(t, 1, behaviour{}))
	number := w.plugin().Rollout.Number
	w.reloads(control.Reloaded{Unchanged: []string{"users"}})
	if p := w.plugin(); p.Live.Digest != digestOf(t, 1) || p.Rollout.Number != number {
		t.Errorf("after a reload: %+v", p)
	}
	w.configure("config = { mark = \"x\" }\n")
	w.reloads(control.Reloaded{Changed: []string{"users"}})
	w.within("the settings are live", func() bool { return w.plugin().Rollout.Number > number && w.plugin().Rollout.Result == "live" })
	if got := w.plugin().Live.Digest; got != digestOf(t, 1) {
		t.Errorf("%s is live", got)
	}
	w.comesUpOn(1)
	w.down()
}

// Without watching, a reload is what has a new file go live.
func TestReloadLooksAtFile(t *testing.T) {
	w := newWorks(t, "[pipeline.plugin.rollout]\nwatch = false\n")
	put(t, w.module, wilful(t, 2, behaviour{}))
	w.reloads(control.Reloaded{Unchanged: []string{"users"}})
	w.live(wilful(t, 2, behaviour{}))
	if r := w.plugin().Rollout; r.Number != 1 {
		t.Errorf("%+v", r)
	}
	w.down()
}

// A reload leaves a canary alone unless it is about that; then it begins again.
func TestReloadDuringCanary(t *testing.T) {
	w := newWorks(t, canary(longWindow))
	end := w.flow()
	put(t, w.module, wilful(t, 2, behaviour{}))
	w.trying(wilful(t, 2, behaviour{}))
	w.reloads(control.Reloaded{Unchanged: []string{"users"}})
	if r := w.plugin().Rollout; r.Number != 1 || !r.Trying() {
		t.Errorf("%+v", r)
	}
	w.configure(canary(quickWindow))
	w.reloads(control.Reloaded{Changed: []string{"users"}})
	w.within("the new one has ended", func() bool { r := w.plugin().Rollout; return r.Number == 2 && r.Result == "live" })
	end()
	w.down()
}

// Reloads at once come one after the other; none is left over when the host ends
// meanwhile.
func TestReloadsAtOnce(t *testing.T) {
	w := withAgain(t, "")
	end := w.flow()
	w.again(worksBatches)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := w.client.Reload(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(w.Books()) != 2 {
		t.Errorf("the books: %v", w.Books())
	}
	end()
	for range 4 {
		wg.Go(func() { _, _ = w.Reload(t.Context()) })
	}
	w.again("")
	w.down()
	wg.Wait()
	if _, err := w.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "the host does not run") {
		t.Errorf("after the end: %v", err)
	}
}

// Many reloads leave nothing behind.
func TestManyReloads(t *testing.T) {
	w := withAgain(t, "")
	once := func(i int) {
		w.again(worksBatches)
		w.configure(fmt.Sprintf("config = { mark = \"%c\" }\n", 'a'+i%26))
		w.reloads(control.Reloaded{Added: []string{"again"}, Changed: []string{"users"}})
		w.again("")
		w.reloads(control.Reloaded{Removed: []string{"again"}, Unchanged: []string{"users"}})
		w.within("the rollout has ended", func() bool { return w.plugin().Rollout.Result != "" })
	}
	once(0)
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	const n = 25
	for i := range n {
		once(i + 1)
	}
	w.within("what was used is given back", func() bool {
		return runtime.NumGoroutine() <= goroutines+3 && descriptors(t) <= files+3
	})
	w.down()
}

// descriptors is how many files the process has open, 0 if that is not known.
func descriptors(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	all, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(all)
}
