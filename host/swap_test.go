package host_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/plugin"
)

var (
	swaps     = flag.Int("swaps", 0, "how often TestSwaps swaps, 0 for a few; `make swaps` swaps thousands of times")
	underRace bool
)

func howOften() int {
	switch {
	case *swaps > 0:
		return *swaps
	case underRace || testing.Short():
		return 30
	}
	return 300
}

// Versions take each other's place under load: every event comes out once, in the
// order of its partition, handled by one version; no slot goes back to a version
// before; and nothing is left of those that are gone.
func TestSwaps(t *testing.T) {
	f := newFlow(t, plugin.Options{})
	f.swapTo(1, 20)
	before := f.usage()
	began := time.Now()
	f.swapTo(21, howOften())
	took := time.Since(began)
	after := f.usage()
	f.end()
	pulled, _ := f.source.count()
	t.Logf("%d swaps in %v (%v each), %d messages", howOften(), took.Round(time.Millisecond), took/time.Duration(howOften()), pulled)
	t.Logf("before: %+v", before)
	t.Logf("after:  %+v", after)
	after.compare(t, before)
	if f.log.String() != "" {
		t.Errorf("logged:\n%.2000s", f.log)
	}
}

// swapTo swaps n times, from a version on.
func (f *flow) swapTo(first, n int) {
	f.t.Helper()
	for i := range n {
		if err := f.swap(tagged(f.t, first+i)); err != nil {
			f.t.Fatal(err)
		}
	}
}

// usage is what the process uses while the pipeline runs and is idle.
type usage struct {
	goroutines, files, maps int
	heap, resident          int64 // bytes
}

func (f *flow) usage() (u usage) {
	f.t.Helper()
	f.source.pause(f.t)
	defer f.source.unpause()
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.heap = int64(m.HeapAlloc) //nolint:gosec // below the machine's memory
	u.goroutines = runtime.NumGoroutine()
	if runtime.GOOS != "linux" {
		return u
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		f.t.Fatal(err)
	}
	u.files = len(files)
	u.maps = strings.Count(procFile(f.t, "maps"), "\n")
	pages, err := strconv.ParseInt(strings.Fields(procFile(f.t, "statm"))[1], 10, 64)
	if err != nil {
		f.t.Fatal(err)
	}
	u.resident = pages * int64(os.Getpagesize())
	return u
}

func procFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// compare wants no more than a few of anything above what there was.
func (u usage) compare(t *testing.T, before usage) {
	t.Helper()
	if u.goroutines > before.goroutines+2 || u.files > before.files+2 || u.maps > before.maps+16 {
		t.Errorf("left over: %+v, before: %+v", u, before)
	}
	if u.heap > before.heap+4<<20 || u.resident > before.resident+32<<20 {
		t.Errorf("memory grew: %+v, before: %+v", u, before)
	}
}

// A file that is broken, in whatever way, changes nothing while events flow, and
// nothing is left of it.
func TestSwapsToBrokenFiles(t *testing.T) {
	f := newFlow(t, plugin.Options{})
	f.settings.Limits = plugin.Limits{
		MemoryPages: 64,
		Start:       plugin.Limit{Deadline: 100 * time.Millisecond}, Configure: plugin.Limit{Deadline: 100 * time.Millisecond},
	}
	files := brokenFiles(t)
	f.breakAll(files) // what is made once is made
	before := f.usage()
	f.breakAll(files)
	after := f.usage()
	if got := f.Live().Digest(); got != plugin.Digest(tagged(t, 0)) {
		t.Errorf("live is %s", got)
	}
	f.end()
	after.compare(t, before)
}

func (f *flow) breakAll(files map[string][]byte) {
	f.t.Helper()
	for name, file := range files {
		_, before := f.source.count()
		f.settings.NeedBatch = !strings.HasPrefix(name, "hostile") // those have none
		if err := f.swap(file); err == nil {
			f.t.Errorf("%s is live", name)
		}
		for began := time.Now(); ; time.Sleep(time.Millisecond) {
			if _, now := f.source.count(); now > before {
				break
			}
			if time.Since(began) > 10*time.Second {
				f.t.Fatalf("%s: no events flow", name)
			}
		}
	}
}

// brokenFiles are files that no version can be made of.
func brokenFiles(t *testing.T) map[string][]byte {
	t.Helper()
	good := tagged(t, 1)
	files := map[string][]byte{
		"empty": {}, "no module": []byte("#!/bin/sh\n"),
		"wrong ABI":       bytes.Replace(good, []byte("relay_abi_v1"), []byte("relay_abi_v9"), 1),
		"no handle_batch": bytes.Replace(good, []byte("handle_batch"), []byte("handle_botch"), 1),
	}
	for n := 1; n < len(good); n += len(good) / 10 {
		files["truncated to "+strconv.Itoa(n)] = good[:n]
	}
	for _, kind := range []string{"start", "initialize", "configure", "import", "export", "index", "memory_of", "table_of", "data"} {
		found, err := filepath.Glob("plugin/testdata/hostile/" + kind + "_*.wasm")
		if err != nil || len(found) == 0 {
			t.Fatal(kind, err)
		}
		for _, path := range found {
			if files["hostile "+path], err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	return files
}
