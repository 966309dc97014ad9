package versions_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/versions"
)

// three is a disk with three versions, v3 live.
func three(t *testing.T) *disk {
	d := newDisk(t, 3)
	h := d.open()
	for _, v := range []string{"v1", "v2", "v3"} {
		goLive(t, h, v)
	}
	return d
}

// Bytes that are damaged are not used but removed, and the next whole ones are.
func TestDamagedBytes(t *testing.T) {
	for name, damage := range map[string]func(d *disk, file string) error{
		"flipped": func(_ *disk, file string) error { return os.WriteFile(file, []byte("v4"), 0o600) },
		"cut":     func(_ *disk, file string) error { return os.Truncate(file, 1) },
		"longer":  func(_ *disk, file string) error { return os.WriteFile(file, []byte("v3 and more"), 0o600) },
		"gone":    func(_ *disk, file string) error { return os.Remove(file) },
		"a folder": func(_ *disk, file string) error {
			return errors.Join(os.Remove(file), os.Mkdir(file, 0o700))
		},
		"a link out": func(d *disk, file string) error {
			elsewhere := filepath.Join(d.TempDir(), "v3")
			return errors.Join(os.WriteFile(elsewhere, []byte("v3"), 0o600), os.Remove(file), os.Symlink(elsewhere, file))
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := three(t)
			running := d.open()
			if err := damage(d, d.path(digest("v3")+".wasm")); err != nil {
				t.Fatal(err)
			}
			if _, err := running.File(digest("v3")); !errors.Is(err, versions.ErrUnknown) {
				t.Errorf("its file: %v", err)
			}
			d.warned("damaged or gone")
			live(t, running, "v2")
			is(t, running, "v2 good, v1 good")
			if err := damage(d, d.path(digest("v2")+".wasm")); err != nil {
				t.Fatal(err)
			}
			live(t, d.open(), "v1")
			d.warned("damaged or gone")
			if files := d.files(); strings.Contains(files, digest("v3")) || strings.Contains(files, digest("v2")) {
				t.Errorf("what is damaged is left: %s", files)
			}
			goLive(t, running, "v3")
			live(t, d.open(), "v3")
		})
	}
}

// A crash may end a change after each of its steps.
func TestCrashes(t *testing.T) {
	d := three(t)
	index, err := os.ReadFile(d.path("index.json"))
	if err != nil {
		t.Fatal(err)
	}
	// A file is half written, or written and not yet renamed.
	d.write(".unfinished-123", "half a mod")
	// The bytes of v4 are there, and the index does not have it yet.
	d.write(digest("v4")+".wasm", "v4")
	// Someone else's file is nobody's business.
	d.write("notes.txt", "mine")
	h := d.open()
	is(t, h, "v3 good, v2 good, v1 good")
	if files := d.files(); strings.Contains(files, "unfinished") || strings.Contains(files, digest("v4")) || !strings.Contains(files, "notes.txt") {
		t.Errorf("left: %s", files)
	}
	d.warned("")

	// The index is older than the bytes: v1 is gone already.
	goLive(t, h, "v4")
	d.write("index.json", string(index))
	h = d.open()
	d.warned("damaged or gone")
	is(t, h, "v3 good, v2 good")
	live(t, h, "v3")
}

func TestDamagedIndex(t *testing.T) {
	d := three(t)
	whole, err := os.ReadFile(d.path("index.json"))
	if err != nil {
		t.Fatal(err)
	}
	replaced := func(old, with string) string { return strings.Replace(string(whole), old, with, 1) }
	for name, damaged := range map[string]string{
		"nothing":         "",
		"cut":             string(whole[:len(whole)/2]),
		"rubbish behind":  string(whole) + "{}",
		"another format":  replaced(`"format": 1`, `"format": 2`),
		"a way out":       replaced(digest("v2"), "../../../../etc/passwd"),
		"twice the same":  replaced(digest("v2"), digest("v1")),
		"a refused one":   replaced(`"good"`, `"refused"`),
		"a negative size": replaced(`"size": 2`, `"size": -2`),
		"a giant":         replaced(`"size": 2`, `"size": 9999999999`),
		"a giant text":    replaced(`v2.wasm`, strings.Repeat("v", 5000)),
		"too large":       string(whole) + strings.Repeat(" ", 16<<20),
		"null":            "null",
		"an array":        "[]",
	} {
		t.Run(name, func(t *testing.T) {
			d := three(t)
			d.write("index.json", damaged)
			h := d.open()
			d.warned("the index of the versions is damaged: its folder is set aside, and begun anew")
			is(t, h, "")
			goLive(t, h, "v4")
			live(t, d.open(), "v4")
			d.warned("")
			aside, err := os.ReadFile(filepath.Join(d.dir, "users.damaged", digest("v3")+".wasm"))
			if err != nil || string(aside) != "v3" {
				t.Errorf("set aside: %q, %v", aside, err)
			}
		})
	}
}

// The second damage takes the place of the first.
func TestDamagedTwice(t *testing.T) {
	d := three(t)
	for range 2 {
		d.write("index.json", "{")
		goLive(t, d.open(), "v4")
		d.warned("set aside")
	}
	if _, err := os.Stat(filepath.Join(d.dir, "users.damaged", digest("v4")+".wasm")); err != nil {
		t.Error(err)
	}
	live(t, d.open(), "v4")
}

// An index that is no file is damage, too, and not opened.
func TestIndexThatIsNoFile(t *testing.T) {
	d := three(t)
	if err := errors.Join(os.Remove(d.path("index.json")), os.Mkdir(d.path("index.json"), 0o700)); err != nil {
		t.Fatal(err)
	}
	is(t, d.open(), "")
	d.warned("not a regular file")
}

// What cannot be written is an error, and yet counts while the host runs.
func TestUnwritable(t *testing.T) {
	for name, spoil := range map[string]func(d *disk) error{
		"a file in its place": func(d *disk) error {
			return errors.Join(os.Rename(d.path(""), d.dir+"/away"), os.WriteFile(d.dir+"/users", nil, 0o600))
		},
		"no index can be": func(d *disk) error {
			return errors.Join(os.Rename(d.path("index.json"), d.dir+"/away"), os.MkdirAll(d.path("index.json/x"), 0o700))
		},
		"read-only": func(d *disk) error { readOnly(d, d.path("")); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			d := three(t)
			d.TB = t
			h := d.open()
			if err := spoil(d); err != nil {
				t.Fatal(err)
			}
			for what, err := range map[string]error{
				"go live": h.GoLive(versions.Version{Source: "v4.wasm"}, []byte("v4")),
				"refuse":  h.Refuse(versions.Version{Digest: digest("v5"), Source: "v5.wasm"}),
			} {
				if err == nil || !strings.Contains(err.Error(), "\nhint: ") {
					t.Errorf("%s: %v", what, err)
				}
			}
			if v, ok := h.Previous(); !ok || v.Digest != digest("v3") {
				t.Errorf("before v4 was %+v", v)
			}
			if _, ok := h.Refused(digest("v5"), ""); !ok {
				t.Error("v5 is not refused")
			}
		})
	}
}

// The host that starts after that finds what was kept before.
func TestAfterUnwritten(t *testing.T) {
	d := three(t)
	h := d.open()
	index := d.path("index.json")
	if err := errors.Join(os.Rename(index, d.dir+"/away"), os.MkdirAll(index+"/x", 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := h.GoLive(versions.Version{Source: "v4.wasm"}, []byte("v4")); err == nil {
		t.Fatal("an index was written")
	}
	live(t, h, "v4")
	if err := errors.Join(os.RemoveAll(index), os.Rename(d.dir+"/away", index)); err != nil {
		t.Fatal(err)
	}
	live(t, d.open(), "v3")
	is(t, d.open(), "v3 good, v2 good, v1 good")
}

// A folder that is deleted while the host runs is made anew.
func TestDeleted(t *testing.T) {
	d := three(t)
	h := d.open()
	if err := os.RemoveAll(d.dir); err != nil {
		t.Fatal(err)
	}
	goLive(t, h, "v4")
	live(t, d.open(), "v4")
}

// Damage in a folder that cannot be changed does not keep a host from starting.
func TestReadOnlyAndDamaged(t *testing.T) {
	d := three(t)
	d.write("index.json", "{")
	readOnly(t, d.dir)
	readOnly(t, d.path(""))
	is(t, d.open(), "")
	d.warned("cannot be set aside")
	if files := d.files(); !strings.Contains(files, digest("v3")) {
		t.Errorf("left: %s", files)
	}
}

// readOnly keeps a folder from being changed until the test ends.
func readOnly(t testing.TB, dir string) {
	t.Helper()
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("nothing is read-only for this user")
	}
	if err := os.Chmod(dir, 0o500); err != nil { //nolint:gosec // a folder
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) }) //nolint:gosec // a folder
}
