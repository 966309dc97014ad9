package host_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/plugin"
)

// A new file goes live by itself while events flow, however it comes to its place;
// each event comes out once.
func TestNewFileGoesLive(t *testing.T) {
	w := newWorks(t, "")
	end := w.flow()
	put(t, w.module, wilful(t, 2, behaviour{}))
	w.live(wilful(t, 2, behaviour{}))
	w.within("it has handled some", func() bool { return w.by(2) > 0 })

	inHalves(t, w.module, wilful(t, 3, behaviour{}))
	w.live(wilful(t, 3, behaviour{}))
	w.within("it has handled some", func() bool { return w.by(3) > 0 })

	swapConfigMap(t, w, 4)
	w.live(wilful(t, 4, behaviour{}))
	w.within("it has handled some", func() bool { return w.by(4) > 0 })
	swapConfigMap(t, w, 5)
	w.live(wilful(t, 5, behaviour{}))
	w.within("it has handled some", func() bool { return w.by(5) > 0 })
	end()
	if got := w.metric(`relayhost_plugin_rollouts_total{pipeline="users",result="live"}`); got != 4 {
		t.Errorf("%v rollouts ended live, not 4", got)
	}
	for _, line := range append(w.lines("level=ERROR"), w.lines("level=WARN")...) {
		t.Errorf("not in order: %s", line)
	}
	w.inTurn(5)
	w.down()
}

// inTurn wants all versions up to the last one, one after the other.
func (w *works) inTurn(last int) {
	w.t.Helper()
	seen := map[int]int{}
	for _, c := range w.came() {
		seen[c.version]++
	}
	for n := 1; n <= last; n++ {
		if seen[n] == 0 {
			w.t.Errorf("version %d has handled nothing: %v", n, seen)
		}
	}
}

// inHalves writes in place, and takes its time.
func inHalves(t *testing.T, path string, content []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	must(t, err)
	half := len(content) / 2
	_, err = f.Write(content[:half])
	must(t, err)
	must(t, f.Sync())
	_, err = f.Write(content[half:])
	must(t, err)
	must(t, f.Close())
}

// swapConfigMap has the module come from a folder that a symbolic link leads to,
// as Kubernetes has it, and swaps that.
func swapConfigMap(t *testing.T, w *works, version int) {
	t.Helper()
	folder, err := os.MkdirTemp(w.dir, "..data-")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(folder, "upcase.wasm"), wilful(t, version, behaviour{}), 0o600))
	next, data := filepath.Join(w.dir, "..data_tmp"), filepath.Join(w.dir, "..data")
	must(t, os.Symlink(filepath.Base(folder), next))
	must(t, os.Rename(next, data))
	if info, err := os.Lstat(w.module); err == nil && info.Mode().IsRegular() {
		must(t, os.Symlink("..data/upcase.wasm", w.module+".link"))
		must(t, os.Rename(w.module+".link", w.module))
	}
}

// A touch and the same bytes are no new version.
func TestSameBytesDoNothing(t *testing.T) {
	w := newWorks(t, "")
	now := time.Now().Add(time.Second)
	must(t, os.Chtimes(w.module, now, now))
	put(t, w.module, wilful(t, 1, behaviour{}))
	put(t, w.module, wilful(t, 2, behaviour{}))
	w.live(wilful(t, 2, behaviour{}))
	if r := w.plugin().Rollout; r.Number != 1 {
		t.Errorf("it is rollout %d", r.Number)
	}
	w.down()
}

// Of versions in quick succession the newest wins, and the others count as
// superseded.
func TestNewestWins(t *testing.T) {
	w := newWorks(t, "")
	end := w.flow()
	const n = 12
	var last []byte
	for i := range n {
		last = wilful(t, 2+i, behaviour{})
		w.swap(last)
	}
	w.live(last)
	end()
	ended := func(result string) float64 {
		return w.metric(`relayhost_plugin_rollouts_total{pipeline="users",result="` + result + `"}`)
	}
	if live, superseded := ended("live"), ended("superseded"); live < 1 || superseded < 1 || live+superseded != n {
		t.Errorf("%v went live, %v were superseded", live, superseded)
	}
	if got := strings.Count(w.ask(t, "/metrics"), "relayhost_plugin_info{"); got != 1 {
		t.Errorf("%d versions are there", got)
	}
	w.down()
}

const quickLimits = `[pipeline.plugin.limits]
configure_deadline = "1s"
memory = "1MiB"
module_size = "64KiB"
`

// Broken files of every kind under load change nothing: the old version stays, no
// event fails, and one line says what is wrong.
func TestBrokenFiles(t *testing.T) {
	good := wilful(t, 2, behaviour{})
	w := newWorks(t, quickLimits)
	end := w.flow()
	w.within("some events have come", func() bool { return len(w.came()) > 20 })
	refused := 0
	for _, c := range []struct {
		name, why string
		file      []byte
	}{
		{"empty", "not a WebAssembly module", nil},
		{"truncated", "module", good[:len(good)/2]},
		{"text", "not a WebAssembly module", []byte("<html>404</html>")},
		{"wrong ABI", "relay_abi_v", bytes.Replace(good, []byte("relay_abi_v1"), []byte("relay_abi_v9"), 1)},
		{"missing export", "handle_message", bytes.Replace(good, []byte("handle_message"), []byte("handle_massage"), 1)},
		{"trap at start", "unreachable", wilful(t, 2, behaviour{start: 1})},
		{"trap in configure", "unreachable", wilful(t, 2, behaviour{configure: 1})},
		{"spin in configure", "deadline", wilful(t, 2, behaviour{configure: 2})},
		{"configure refuses", "wilful", wilful(t, 2, behaviour{configure: 3})},
		{"memory above the limit", "memory", withMemory(t, good, 100)},
		{"fails its own examples", "example 1", withExamples(t, wilful(t, 2, behaviour{fails: 100}))},
		{"traps on recent events", "unreachable", wilful(t, 2, behaviour{traps: 100})},
		{"fails recent events", "recent events", wilful(t, 2, behaviour{fails: 100})},
	} {
		put(t, w.module, c.file)
		r := w.ended(c.file, "refused")
		refused++
		if v := w.version(c.file); v.State != "refused" || v.Reason != r.Error || !strings.Contains(r.Error, c.why) {
			t.Errorf("%s: %q, and in the history %+v", c.name, r.Error, v)
		}
		if got := w.lines("plugin version is refused"); len(got) != refused || len(w.lines("level=ERROR")) != refused {
			t.Fatalf("%s: %d lines, not %d:\n%s", c.name, len(got), refused, w.log)
		}
		if got := w.plugin().Live.Digest; got != plugin.Digest(wilful(t, 1, behaviour{})) {
			t.Fatalf("%s: %s is live", c.name, got)
		}
	}
	if got := w.metric(`relayhost_plugin_rollouts_total{pipeline="users",result="refused"}`); int(got) != refused {
		t.Errorf("%v are counted as refused, not %d", got, refused)
	}
	put(t, w.module, make([]byte, 65<<10))
	w.log.await(t, "the plugin's file cannot be read", 1)
	w.within("it is counted", func() bool {
		return w.metric(`relayhost_plugin_rollouts_total{pipeline="users",result="refused"}`) == float64(refused+1)
	})
	put(t, w.module, good)
	w.live(good)
	w.within("it has handled some", func() bool { return w.by(2) > 0 })
	end()
	w.down()
}

// withMemory is a module that wants so many pages.
func withMemory(t testing.TB, file []byte, pages byte) []byte {
	t.Helper()
	return replaced(t, file, "\x05\x03\x01\x00\x08", []byte{5, 3, 1, 0, pages})
}

func withExamples(t testing.TB, file []byte) []byte {
	t.Helper()
	file, err := plugin.WithExamples(file, []byte(`{"id": "one", "name": "user.created", "data": "{}"}`))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// A version that handles its own examples goes live, and what it makes of them
// goes nowhere.
func TestExamplesGoNowhere(t *testing.T) {
	w := newWorks(t, "")
	good := withExamples(t, wilful(t, 2, behaviour{}))
	put(t, w.module, good)
	w.live(good)
	w.send(3)
	w.settled()
	if strings.Contains(w.out.String(), "one") {
		t.Errorf("an example has come out: %q", w.out)
	}
	w.down()
}
