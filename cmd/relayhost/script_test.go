package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/relayhost/relayhost/plugins"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"relayhost": main,
		"upcase":    writeUpcase,
		"edition":   writeEdition,
		"await":     await,
		"bury":      bury,
	})
}

// TestScripts runs the scripts of testdata/script, one or more for every
// command, with the real binary, real servers and real signals. Besides
// testscript's own commands there are:
//
// The guests of testdata/guests are in each script's folder.
//
//	upcase FILE          writes the plugin upcase
//	edition FILE N       writes the guest edition as edition N
//	await FILE TEXT      waits until the file has the text
//	bury DIR             fills a journal with what standard input says
//	freeport VAR         sets VAR to a port that nobody listens on
//	source VAR           sets VAR to a folder for Go source that imports ours
func TestScripts(t *testing.T) {
	cache := t.TempDir() // compiling the plugin anew in each script would take most of the time
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_CACHE_HOME", cache)
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("GORACE", "atexit_sleep_ms=10") // the race detector's second at each exit would take most of the rest
			return os.CopyFS(e.WorkDir, os.DirFS("testdata/guests"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"freeport": freePort, "source": sourceDir},
	})
}

func freePort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
	ts.Check(l.Close())
}

// sourceDir makes a folder inside this module, so that what is imported there is
// what is here, and has Go use the caches that it uses otherwise.
func sourceDir(ts *testscript.TestScript, _ bool, args []string) {
	dir, err := os.MkdirTemp("testdata", "source-")
	ts.Check(err)
	ts.Defer(func() { _ = os.RemoveAll(dir) })
	path, err := filepath.Abs(dir)
	ts.Check(err)
	ts.Setenv(args[0], path)
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		value, err := exec.Command("go", "env", name).Output()
		ts.Check(err)
		ts.Setenv(name, strings.TrimSpace(string(value)))
	}
}

func writeUpcase() {
	writeModule(plugins.Upcase)
}

func writeEdition() {
	module, _ := os.ReadFile("edition.wasm") // an empty file will be refused
	writeModule(bytes.Replace(module, []byte("edition=1"), []byte("edition="+os.Args[2]), 1))
}

func writeModule(module []byte) {
	if err := os.WriteFile(os.Args[1], module, 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// await polls, because the file is another process's and the program has no
// other way to say how far it is.
func await() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		text, _ := os.ReadFile(filepath.Clean(os.Args[1]))
		if strings.Contains(string(text), os.Args[2]) {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			fmt.Fprintf(os.Stderr, "waited for %q in %s, which has:\n%s\n", os.Args[2], os.Args[1], text)
			os.Exit(1)
		}
	}
}
