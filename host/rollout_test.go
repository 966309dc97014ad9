package host_test

import (
	"os"
	"path/filepath"
	"testing"
)

// A new file goes live by itself while events flow, however it comes to its place;
// each event comes out once.
func TestNewFileGoesLive(t *testing.T) {
	w := newWorks(t, "")
	end := w.flow()
	put(t, w.module, wilful(t, 2, behaviour{}))
	w.live(wilful(t, 2, behaviour{}))

	inHalves(t, w.module, wilful(t, 3, behaviour{}))
	w.live(wilful(t, 3, behaviour{}))

	swapConfigMap(t, w, 4)
	w.live(wilful(t, 4, behaviour{}))
	swapConfigMap(t, w, 5)
	w.live(wilful(t, 5, behaviour{}))
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
