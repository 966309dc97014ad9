package host_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/control"
)

// restarted ends the run and begins another.
func (w *works) restarted() {
	w.t.Helper()
	w.down()
	w.up()
}

// comesUpOn wants a version to be live after a restart, and to handle events.
func (w *works) comesUpOn(n int) {
	w.t.Helper()
	w.restarted()
	if got := w.plugin().Live.Digest; got != digestOf(w.t, n) {
		w.t.Fatalf("the host comes up on %s, not on version %d; the log:\n%s", got, n, w.log)
	}
	before := w.by(n)
	w.send(10)
	w.settled()
	if w.by(n) != before+10 {
		w.t.Errorf("version %d has handled %d of 10", n, w.by(n)-before)
	}
}

// What an operator chose outlives a restart, though the file is another.
func TestChoiceOutlivesRestart(t *testing.T) {
	w := newWorks(t, "")
	file := func(n int) []byte { return wilful(t, n, behaviour{}) }
	w.swap(file(2))
	w.live(file(2))
	w.comesUpOn(2)

	put(t, w.module, file(3))
	w.live(file(3))
	_, err := w.client.Rollback(t.Context(), "users", "")
	must(t, err)
	w.live(file(2))
	if v := w.version(file(3)); v.State != "rolled_back" || !strings.Contains(v.Reason, "an operator went back to ") {
		t.Errorf("in the history: %+v", v)
	}
	w.comesUpOn(2)

	_, err = w.client.Rollback(t.Context(), "users", digestOf(t, 1)[:9])
	must(t, err)
	w.live(file(1))
	w.comesUpOn(1)
	if _, err := w.client.Rollback(t.Context(), "users", strings.Repeat("0", 64)); err == nil || !strings.Contains(err.Error(), "plugin history users") {
		t.Errorf("back to what nobody knows: %v", err)
	}
	w.down()
}

// A host never comes up on a file that it refused, and takes one that changed
// while it was down.
func TestFilesAcrossRestart(t *testing.T) {
	w := newWorks(t, "")
	broken := wilful(t, 2, behaviour{configure: 3})
	put(t, w.module, broken)
	w.ended(broken, control.ResultRefused)
	w.comesUpOn(1)
	if got := w.lines("was refused before"); len(got) != 1 || !strings.Contains(got[0], "level=WARN") {
		t.Errorf("%q in\n%s", got, w.log)
	}

	w.down()
	put(t, w.module, wilful(t, 3, behaviour{}))
	w.up()
	w.comesUpOn(3)

	w.down()
	put(t, w.module, []byte("<html>"))
	w.up()
	w.comesUpOn(3)
	if v := w.version([]byte("<html>")); v.State != "refused" {
		t.Errorf("in the history: %+v", v)
	}

	w.down()
	must(t, os.Remove(w.module))
	w.up()
	if got := w.lines("the plugin's file cannot be read"); len(got) != 1 || !strings.Contains(got[0], "level=ERROR") {
		t.Errorf("%q in\n%s", got, w.log)
	}
	w.comesUpOn(3)
	put(t, w.module, wilful(t, 4, behaviour{}))
	w.live(wilful(t, 4, behaviour{}))
	w.down()
}

// What changed while the host was down is tried first if the rollout is a canary.
func TestCanaryFromTheStart(t *testing.T) {
	w := newWorks(t, canary(longWindow))
	w.down()
	put(t, w.module, wilful(t, 2, behaviour{}))
	w.up()
	w.trying(wilful(t, 2, behaviour{}))
	if got := w.plugin().Live.Digest; got != digestOf(t, 1) {
		t.Errorf("%s is live", got)
	}
	w.down()
}

// A damaged folder of versions keeps no host from starting.
func TestDamagedVersions(t *testing.T) {
	w := newWorks(t, "")
	w.swap(wilful(t, 2, behaviour{}))
	w.live(wilful(t, 2, behaviour{}))
	w.down()
	indexes, err := filepath.Glob(filepath.Join(w.dir, "relayhost.versions", "users", "*.json"))
	must(t, err)
	if len(indexes) != 1 {
		t.Fatalf("the indexes: %q", indexes)
	}
	must(t, os.WriteFile(indexes[0], []byte("{"), 0o600))
	w.up()
	if got := w.lines("the index of the versions is damaged"); len(got) != 1 {
		t.Errorf("%q in\n%s", got, w.log)
	}
	w.comesUpOn(1)
	w.down()
}

// A file that was refused with other settings is tried with those that came while
// the host was down.
func TestRefusedWithOtherSettings(t *testing.T) {
	w := newWorks(t, "[pipeline.plugin.limits]\nmemory = \"1MiB\"\n")
	large := withMemory(t, wilful(t, 2, behaviour{}), 100)
	put(t, w.module, large)
	w.ended(large, control.ResultRefused)
	w.down()
	w.configure("[pipeline.plugin.limits]\nmemory = \"16MiB\"\n")
	w.up()
	w.live(large)
	w.down()
}

// Where no version was live before, a file that cannot be used keeps the host from
// starting, and says why.
func TestNothingToComeUpOn(t *testing.T) {
	w := prepareWorks(t, "")
	for _, c := range []struct {
		why  string
		file []byte
	}{
		{"wilful", wilful(t, 1, behaviour{configure: 3})},
		{"not a WebAssembly module", []byte("<html>")},
	} {
		put(t, w.module, c.file)
		for range 2 { // the second time it is known
			if err := w.tryUp(); err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%s: %v", c.why, err)
			}
		}
	}
	put(t, w.module, wilful(t, 2, behaviour{}))
	w.up()
	w.down()
}
