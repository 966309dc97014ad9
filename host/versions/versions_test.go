package versions_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relayhost/relayhost/host/versions"
)

func TestNothingYet(t *testing.T) {
	h := newDisk(t, 3).open()
	_, _, err := h.Live()
	_, before := h.Previous()
	if !errors.Is(err, versions.ErrNone) || before || h.Considered() != "" || len(h.Versions()) > 0 {
		t.Errorf("a new history has %v, %v, %q", err, h.Versions(), h.Considered())
	}
}

// What went live is there with all that was said of it, in this process and in
// the next.
func TestGoLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t, 3)
		h := d.open()
		seen := time.Now()
		v := versions.Version{Source: "by hand", Settings: "s1", Seen: seen, Digest: "not looked at", Reason: "nor this"}
		time.Sleep(time.Minute)
		if err := h.GoLive(v, []byte("one")); err != nil {
			t.Fatal(err)
		}
		want := []versions.Version{{
			Digest: digest("one"), Size: 3, Source: "by hand", State: versions.Good, Settings: "s1",
			Seen: seen.UTC(), Live: seen.Add(time.Minute).UTC(),
		}}
		for _, h := range []*versions.History{h, d.open()} {
			if diff := cmp.Diff(want, h.Versions()); diff != "" {
				t.Error(diff)
			}
			live(t, h, "one")
		}
		d.warned("")
	})
}

// The oldest go, but never the live one and the one before.
func TestKeep(t *testing.T) {
	for keep, want := range map[int]string{
		1: "v5 good, v4 good", 2: "v5 good, v4 good", 3: "v5 good, v4 good, v3 good",
	} {
		d := newDisk(t, keep)
		h := d.open()
		for i := range 5 {
			goLive(t, h, fmt.Sprintf("v%d", i+1))
		}
		for _, h := range []*versions.History{h, d.open()} {
			is(t, h, want)
			if _, err := h.File(digest("v1")); !errors.Is(err, versions.ErrUnknown) {
				t.Errorf("v1 is kept: %v", err)
			}
			live(t, h, "v5")
			if v, ok := h.Previous(); !ok || v.Digest != digest("v4") {
				t.Errorf("before v5 was %+v", v)
			}
		}
		if n := strings.Count(d.files(), ".wasm"); n != max(keep, 2) {
			t.Errorf("%d files are kept of %d", n, keep)
		}
	}
}

// A version that goes live again moves to the front, with its first time.
func TestAgain(t *testing.T) {
	d := newDisk(t, 3)
	h := d.open()
	goLive(t, h, "v1")
	first := h.Versions()[0].Seen
	goLive(t, h, "v2")
	goLive(t, h, "v1")
	is(t, d.open(), "v1 good, v2 good")
	if got := d.open().Versions()[0]; !got.Seen.Equal(first) || got.Live.Before(first) {
		t.Errorf("first seen %v, and then %+v", first, got)
	}
}

// Going back makes the one before the live one, at once, and then the one before
// that.
func TestRolledBack(t *testing.T) {
	d := newDisk(t, 5)
	h := d.open()
	for _, v := range []string{"v1", "v2", "v3"} {
		goLive(t, h, v)
	}
	rollBack(t, h, "v3", "9 of 10 fail")
	live(t, d.open(), "v2")
	is(t, d.open(), "v2 good, v3 rolled_back, v1 good")
	bad, ok := d.open().Refused(digest("v3"), "s")
	if !ok || bad.Reason != "9 of 10 fail" || bad.Source != "v3.wasm" || bad.Size != 2 || bad.Live.IsZero() {
		t.Errorf("of v3 is known %+v", bad)
	}
	if _, err := h.File(digest("v3")); !errors.Is(err, versions.ErrUnknown) || strings.Contains(d.files(), digest("v3")) {
		t.Errorf("v3 is kept: %v", err)
	}
	goLive(t, h, "v2") // as a host may do after it went back
	rollBack(t, h, "v2", "by hand")
	live(t, h, "v1")
	if v, ok := h.Previous(); ok {
		t.Errorf("before v1 was %+v", v)
	}
	goLive(t, h, "v3")                           // it is meant
	is(t, h, "v3 good, v1 good, v2 rolled_back") // v1 was live after v2
	if _, ok := h.Refused(digest("v3"), "s"); ok {
		t.Error("v3 is live and refused")
	}
}

// A canary goes back that never was live.
func TestCanaryRolledBack(t *testing.T) {
	d := newDisk(t, 5)
	h := d.open()
	goLive(t, h, "v1")
	if err := h.RolledBack(versions.Version{Digest: digest("v2"), Source: "v2.wasm", Settings: "s", Reason: "slow"}); err != nil {
		t.Fatal(err)
	}
	live(t, d.open(), "v1")
	is(t, d.open(), "v1 good, v2 rolled_back")
}

// What one kind of settings makes unfit may be good with another.
func TestRefused(t *testing.T) {
	d := newDisk(t, 5)
	h := d.open()
	goLive(t, h, "v1")
	refuse := func(settings string) {
		err := h.Refuse(versions.Version{Digest: digest("v1"), Source: "v1.wasm", Settings: settings, Reason: "configure failed"})
		if err != nil {
			t.Fatal(err)
		}
	}
	refuse("others")
	live(t, d.open(), "v1")
	is(t, d.open(), "v1 good, v1 refused")
	if _, ok := d.open().Refused(digest("v1"), "s"); ok {
		t.Error("v1 is refused with the settings that it is live with")
	}
	if v, ok := d.open().Refused(digest("v1"), "others"); !ok || v.State != versions.Refused || v.Reason != "configure failed" {
		t.Errorf("v1 is not refused: %+v", v)
	}
	refuse("others")
	is(t, h, "v1 good, v1 refused")
	refuse("s")
	if _, _, err := h.Live(); !errors.Is(err, versions.ErrNone) {
		t.Errorf("a refused version is live: %v", err)
	}
}

// Notes and their texts are bounded.
func TestManyRefused(t *testing.T) {
	d := newDisk(t, 5)
	h := d.open()
	for i := range 60 {
		v := versions.Version{Digest: digest(fmt.Sprint(i)), Reason: strings.Repeat("ä", 5000) + "\xff"}
		if err := h.Refuse(v); err != nil {
			t.Fatal(err)
		}
	}
	all := d.open().Versions()
	if len(all) != 50 || all[0].Digest != digest("59") || len(all[0].Reason) != 4096 {
		t.Errorf("%d refused versions are remembered, the last with %d bytes", len(all), len(all[0].Reason))
	}
	d.warned("")
}

func TestConsider(t *testing.T) {
	d := newDisk(t, 5)
	h := d.open()
	if err := h.Consider(digest("v1")); err != nil {
		t.Fatal(err)
	}
	goLive(t, h, "v2")
	if got := d.open().Considered(); got != digest("v1") {
		t.Errorf("considered %q", got)
	}
}

func TestNoDigest(t *testing.T) {
	h := newDisk(t, 5).open()
	for _, digest := range []string{"", "../../etc/passwd", strings.ToUpper(digest("v1")), digest("v1") + "0"} {
		for what, err := range map[string]error{
			"consider": h.Consider(digest), "refuse": h.Refuse(versions.Version{Digest: digest}), "roll back": h.RolledBack(versions.Version{Digest: digest}),
		} {
			if err == nil || !strings.Contains(err.Error(), "is not a digest") {
				t.Errorf("%s %q: %v", what, digest, err)
			}
		}
		if _, err := h.File(digest); !errors.Is(err, versions.ErrUnknown) {
			t.Errorf("file %q: %v", digest, err)
		}
	}
}

// Pipelines know nothing of each other, and one has one history.
func TestPipelines(t *testing.T) {
	s, err := versions.Open(t.TempDir(), 5, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	users, _ := s.Pipeline("users")
	orders, _ := s.Pipeline("orders")
	goLive(t, users, "v1")
	if again, _ := s.Pipeline("users"); again != users || len(orders.Versions()) > 0 {
		t.Errorf("users is %p and %p, and orders has %v", users, again, orders.Versions())
	}
	for _, name := range []string{"", "..", "a/b", "Users", "users.damaged", strings.Repeat("a", 65)} {
		if _, err := s.Pipeline(name); err == nil {
			t.Errorf("%q is a pipeline", name)
		}
	}
}

// Only the owner may read what is kept.
func TestPrivate(t *testing.T) {
	d := newDisk(t, 5)
	goLive(t, d.open(), "v1")
	for path, want := range map[string]os.FileMode{
		d.dir: 0o700, d.path(""): 0o700, d.path("index.json"): 0o600, d.path(digest("v1") + ".wasm"): 0o600,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := versions.Open(filepath.Join(file, "versions"), 5, slog.Default()); err == nil || !strings.Contains(err.Error(), "\nhint: ") {
		t.Errorf("got %v", err)
	}
}

// Everything at once, and no reader sees half of anything.
func TestConcurrentUse(t *testing.T) {
	d := newDisk(t, 3)
	h := d.open()
	goLive(t, h, "start")
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 10 {
				file := fmt.Sprintf("v%d.%d", i, j)
				goLive(t, h, file)
				_ = h.Consider(digest(file))
				_ = h.Refuse(versions.Version{Digest: digest(file + "bad")})
			}
		})
		all.Go(func() {
			for range 40 {
				v, file, err := h.Live()
				if err != nil || digest(string(file)) != v.Digest || len(h.Versions()) == 0 {
					t.Errorf("live is %q, %+v, %v", file, v, err)
				}
			}
		})
	}
	all.Wait()
	if diff := cmp.Diff(h.Versions(), d.open().Versions()); diff != "" {
		t.Error(diff)
	}
	if n := strings.Count(d.files(), ".wasm"); n != 3 {
		t.Errorf("%d files are kept of 3: %s", n, d.files())
	}
}
