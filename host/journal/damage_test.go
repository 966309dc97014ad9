package journal_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/message"
)

// sample is a journal with something of everything, in tables and in the log,
// that was not closed.
func sample(t *testing.T) (*vfs.MemFS, *model) {
	t.Helper()
	mem := vfs.NewCrashableMem()
	j, err := journal.Open("j", journal.Options{FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	m := &model{unsettled: map[string]bool{}, letters: map[string]bool{}}
	for n := range 5 {
		work(t, j, m, fmt.Sprint(n, "-"))
	}
	letters(t, j, journal.Filter{}) // flushes
	return mem.CrashClone(vfs.CrashCloneCfg{}), m
}

// copyOf is an independent copy of a file system.
func copyOf(mem *vfs.MemFS) *vfs.MemFS { return mem.CrashClone(vfs.CrashCloneCfg{}) }

func files(t *testing.T, f vfs.FS) []string {
	t.Helper()
	names, err := f.List("j/store")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func contentOf(t *testing.T, f vfs.FS, name string) []byte {
	t.Helper()
	file, err := f.Open("j/store/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func replace(t *testing.T, f vfs.FS, name string, data []byte) {
	t.Helper()
	file, err := f.Create("j/store/"+name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	// Built with the race detector, this file system spoils what it was given.
	_, err = file.Write(slices.Clone(data))
	d, err2 := f.OpenDir("j/store")
	if err := errors.Join(err, file.Sync(), file.Close(), err2, d.Sync(), d.Close()); err != nil {
		t.Fatal(err)
	}
}

// verdict opens a journal that something was done to. It is whole, or it is
// damaged and most of it is saved; what it may miss beyond that is for the
// caller to say.
func verdict(t *testing.T, mem *vfs.MemFS) (unsettled, dead map[string]bool, damage error) {
	t.Helper()
	o := journal.Options{FS: mem}
	before := mem.String()
	j, err := journal.Open("j", o)
	if d, ok := errors.AsType[*journal.DamagedError](err); ok {
		if after := mem.String(); after != before {
			t.Errorf("opening it changed it:\n%s\n%s", before, after)
		}
		if !strings.Contains(d.Error(), "\nhint: ") {
			t.Errorf("no hint: %v", d)
		}
		if r, err := journal.Check("j", o); err != nil || r.Damage == nil {
			t.Errorf("opening says %v, and check %v %v", d, r.Damage, err)
		}
		if _, err := journal.SetAside("j", mem, nil); err != nil {
			t.Fatalf("set aside: %v", err)
		}
		damage = d
		j, err = journal.Open("j", o)
	}
	if err != nil {
		t.Fatal(err)
	}
	unsettled, dead, err = content(j)
	if err := errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	return unsettled, dead, damage
}

func missing(want, got map[string]bool) (n int) {
	for id := range want {
		if !got[id] {
			n++
		}
	}
	return n
}

// TestFlips flips a bit of every so many bytes of every file of a store. Either
// everything is there; or the journal says that it is damaged, and all that is
// elsewhere is saved. Only in the last record of the log, where a flip and a
// commit that was never finished look the same, that commit is missing.
func TestFlips(t *testing.T) {
	mem, m := sample(t)
	if u, d, damage := verdict(t, copyOf(mem)); damage != nil || !maps.Equal(u, m.unsettled) || !maps.Equal(d, m.letters) {
		t.Fatalf("untouched: %v, %d of %d", damage, len(u), len(m.unsettled))
	}
	flips := 1
	if *thorough {
		flips = 100
	}
	for _, name := range files(t, mem) {
		data := contentOf(t, mem, name)
		step := max(1, len(data)/flips)
		for at := step / 2; at < len(data); at += step {
			flipped := slices.Clone(data)
			flipped[at] ^= 1 << (at % 8)
			c := copyOf(mem)
			replace(t, c, name, flipped)
			u, d, damage := verdict(t, c)
			lost := missing(m.unsettled, u) + missing(m.letters, d)
			switch {
			case damage == nil && lost > 0 && (!strings.HasSuffix(name, ".log") || int64(at) < journal.LastRecord(data, name)):
				t.Errorf("%s at %d of %d: %d are missing, and nothing was said", name, at, len(data), lost)
			case damage != nil && lost == len(m.unsettled)+len(m.letters):
				t.Errorf("%s at %d of %d: nothing was saved after %v", name, at, len(data), damage)
			}
		}
	}
}

// TestCuts cuts the newest log anywhere. If the journal was closed, that is
// noticed; if not, the last commits are missing as if they had never been made.
func TestCuts(t *testing.T) {
	mem, m := sample(t)
	closed := copyOf(mem)
	j, err := journal.Open("j", journal.Options{FS: closed})
	if err != nil {
		t.Fatal(err)
	}
	work(t, j, m, "last-")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	closed = copyOf(closed)
	cutBytes, cutStep := 1000, 97
	if *thorough {
		cutBytes, cutStep = 3000, 1
	}
	for name, mem := range map[string]*vfs.MemFS{"open": mem, "closed": closed} {
		log := newestLog(t, mem)
		data := contentOf(t, mem, log)
		for at := len(data) - 1; at >= max(0, len(data)-cutBytes); at -= cutStep {
			c := copyOf(mem)
			replace(t, c, log, data[:at])
			u, d, damage := verdict(t, c)
			if lost := missing(m.unsettled, u) + missing(m.letters, d); name == "closed" && damage == nil && lost > 0 {
				t.Errorf("%s at %d of %d: %d are missing, and nothing was said", log, at, len(data), lost)
			}
		}
	}
}

func newestLog(t *testing.T, f vfs.FS) string {
	t.Helper()
	last := ""
	for _, name := range files(t, f) {
		if strings.HasSuffix(name, ".log") {
			last = name
		}
	}
	return last
}

// damagedSample is a sample with a damaged table: one that is in use, which not
// all are, beside others that can be saved. How the journal has spread its events
// over tables is chance.
func damagedSample(t *testing.T) *vfs.MemFS {
	t.Helper()
	for range 100 {
		mem, _ := sample(t)
		if c := damagedTable(t, mem); c != nil {
			return c
		}
	}
	t.Fatal("no sample has a table in use and something beside it")
	return nil
}

func damagedTable(t *testing.T, mem *vfs.MemFS) *vfs.MemFS {
	t.Helper()
	for _, name := range files(t, mem) {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		c := copyOf(mem)
		data := contentOf(t, c, name)
		data[len(data)/4] ^= 1
		replace(t, c, name, data)
		if saved, _, damage := verdict(t, copyOf(c)); damage != nil && len(saved) > 0 {
			return c
		}
	}
	return nil
}

// TestSetAsideInterrupted lets each operation of setting aside fail: called again,
// or when the journal is opened, it comes to the same.
func TestSetAsideInterrupted(t *testing.T) {
	if inChild(t) {
		return
	}
	mem := damagedSample(t)
	want, wantDead, _ := verdict(t, copyOf(mem))
	step := int64(11)
	if *thorough {
		step = 1
	}
	for n := int64(0); ; n += step {
		f := &faults{errno: syscall.EIO}
		c := copyOf(mem)
		fs := errorfs.Wrap(c, f)
		f.arm(n, 1<<40)
		_, err := journal.SetAside("j", fs, nil)
		f.disarm()
		if err == nil && f.hit.Load() {
			t.Errorf("operation %d failed, and nothing was said", n)
		}
		if n%2 == 0 {
			c = copyOf(c) // what was not synced is gone
		}
		got, dead, _ := verdict(t, c)
		if !maps.Equal(got, want) || !maps.Equal(dead, wantDead) {
			t.Errorf("operation %d failed: %d events and %d dead letters, want %d and %d", n, len(got), len(dead), len(want), len(wantDead))
		}
		if !f.hit.Load() {
			return
		}
	}
}

// What is no journal stays as it is, without even a lock.
func TestCheckLeavesOtherFoldersAlone(t *testing.T) {
	mem := vfs.NewMem()
	if err := mem.MkdirAll("other", 0o700); err != nil {
		t.Fatal(err)
	}
	report, err := journal.Check("other", journal.Options{FS: mem})
	if !errors.Is(err, fs.ErrNotExist) || report.Damage != nil {
		t.Errorf("got %v, damage %v", err, report.Damage)
	}
	if left, err := mem.List("other"); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// One damaged record costs itself: what follows it, even in its block, is saved,
// and the report says where something is missing.
func TestSetAsideSavesWhatFollows(t *testing.T) {
	mem := vfs.NewCrashableMem()
	j, err := journal.Open("j", journal.Options{FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	in := inbox(t, j, "p")
	for n := range 10 {
		appendAll(t, in, []*message.Message{{ID: fmt.Sprint(n), Event: []byte("event")}})
	}
	crashed := mem.CrashClone(vfs.CrashCloneCfg{})
	_ = j.Close()
	name := newestLog(t, crashed)
	data := contentOf(t, crashed, name)
	data[len(data)/2] ^= 0x55
	replace(t, crashed, name, data)
	if _, err := journal.Open("j", journal.Options{FS: crashed}); !errors.As(err, new(*journal.DamagedError)) {
		t.Fatalf("opened with %v", err)
	}
	s, err := journal.SetAside("j", crashed, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Events != 9 || len(s.Unreadable) != 1 || !strings.Contains(s.Unreadable[0], name+": what begins at ") {
		t.Errorf("saved %+v", s)
	}
}

// A small journal that was not closed is cut at every byte of its log. What was
// kept in whole records before the cut is there, be it that damage is reported
// and it is saved; nothing hangs, and nothing is made up.
func TestEveryByteOfTheTail(t *testing.T) {
	mem := vfs.NewCrashableMem()
	j, err := journal.Open("j", journal.Options{FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	in := inbox(t, j, "a")
	var kept []string
	var ends []int // where the log ended when each was kept
	for n := range 4 {
		id := fmt.Sprint("event", n)
		appendAll(t, in, []*message.Message{{ID: id, Event: []byte(id)}})
		kept = append(kept, id)
		ends = append(ends, len(contentOf(t, mem, newestLog(t, mem))))
	}
	crashed := mem.CrashClone(vfs.CrashCloneCfg{})
	_ = j.Close()
	log := newestLog(t, crashed)
	data := contentOf(t, crashed, log)
	for at := range data {
		c := copyOf(crashed)
		replace(t, c, log, data[:at])
		found, _, _ := verdict(t, c)
		for n, id := range kept {
			if at >= ends[n] && !found[id] {
				t.Errorf("cut at %d of %d: %s is missing, which ends at %d", at, len(data), id, ends[n])
			}
			delete(found, id)
		}
		if len(found) > 0 {
			t.Errorf("cut at %d of %d: there is %v", at, len(data), found)
		}
	}
	t.Logf("%d cuts", len(data))
}
