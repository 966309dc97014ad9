package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/plugins"
)

// Of a rollout differs when it was, which digests the compiler's output has, and
// which stages were too short to be seen.
var (
	swapsVary  = regexp.MustCompile(`20\d\d-\d\d-\d\dT[0-9:.]+Z|\b[0-9a-f]{12}\b`)
	swapStages = regexp.MustCompile(`(?m)^users: (waiting|verify|meter|compile|test|warm|switch|drain)\n`)
)

// The transcripts of docs/hot-swap.md are what the commands print, one after the
// other, of a host that runs.
func TestHotSwapDocument(t *testing.T) {
	doc := readText(t, "../../docs/hot-swap.md")
	dir, err := os.MkdirTemp("", "rh") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Chdir(dir)
	second := bytes.ReplaceAll(plugins.Upcase, []byte("Got batch"), []byte("Now batch"))
	write(t, "upcase.wasm", string(plugins.Upcase))
	write(t, "users-2.wasm", string(second))
	write(t, "broken.wasm", string(second[:5000]))
	write(t, "relayhost.toml", usersConfig)
	runHostOf(t, "relayhost.toml")

	blocks := strings.Split(doc, "```console\n$ relayhost ")[1:]
	if len(blocks) != 4 {
		t.Errorf("there are %d transcripts, want 4", len(blocks))
	}
	for _, block := range blocks {
		command, rest, _ := strings.Cut(block, "\n")
		want, _, _ := strings.Cut(rest, "```")
		_, out, stderr := commanded(strings.Fields(command)...)
		if got := out + stderr; swapShape(got) != swapShape(want) {
			t.Errorf("%s printed\n%s", command, got)
		}
	}
}

func swapShape(text string) string {
	return swapsVary.ReplaceAllString(swapStages.ReplaceAllString(text, ""), "#")
}

// runHostOf runs the host of a configuration until the test ends. There is no
// server that it could pull from.
func runHostOf(t *testing.T, file string) {
	t.Helper()
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.New(t.Context(), c, host.Options{Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
