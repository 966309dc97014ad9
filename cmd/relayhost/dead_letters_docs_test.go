package main

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/plugins"
)

const deadLettersDocument = "../../docs/dead-letters.md"

// whenAndHowMuch is what differs from one run to the next.
var whenAndHowMuch = regexp.MustCompile(`20\d\d-\d\d-\d\dT[0-9:.]+Z`)

// The transcripts of docs/dead-letters.md are what the commands print, one after
// the other: those without a host on a journal, that of status asks a host.
func TestDeadLettersDocument(t *testing.T) {
	doc := readText(t, deadLettersDocument)
	dir, err := os.MkdirTemp("", "rh") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	fillForDocument(t, dir)
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Chdir(dir)
	blocks := strings.Split(doc, "```console\n$ relayhost ")[1:]
	if len(blocks) != 8 {
		t.Errorf("there are %d transcripts, want 8", len(blocks))
	}
	for _, block := range blocks {
		command, rest, _ := strings.Cut(block, "\n")
		want, _, _ := strings.Cut(rest, "```")
		var out, stderr bytes.Buffer
		stop := func() {}
		if command == "status" {
			stop = answer(t, filepath.Join("relayhost.journal", "host.sock"), scripted{})
		}
		run(strings.Fields(command), process{in: strings.NewReader(""), out: &out, err: &stderr})
		stop()
		got := out.String() + stderr.String()
		if whenAndHowMuch.ReplaceAllString(got, "#") != whenAndHowMuch.ReplaceAllString(want, "#") {
			t.Errorf("%s printed\n%s", command, got)
		}
	}
}

// usersConfig is a configuration whose server is not there.
const usersConfig = `[[pipeline]]
name = "users"
[pipeline.producer]
destination_id = "5f1e3a70-8c0d-4bb2-9f5c-6f0c7b0e9d11"
token = "a2V5OnNlY3JldA=="
[pipeline.plugin]
module = "upcase.wasm"
[pipeline.processors.default]
concurrency = 1
[pipeline.batchers.default]
batch_timeout = "1h"
`

func fillForDocument(t *testing.T, dir string) {
	t.Helper()
	const burials = `
{"pipeline": "users", "id": "9d3f", "data": "{\"person\": {\"first_name\": \"Ada\"}}", "kind": "trap", "attempts": 5,
 "reason": "wasm error: unreachable in users.greet", "trace": "users.greet(i32)\nusers.handle_message(i32,i32) i64"}
{"pipeline": "users", "id": "a41b", "data": "{\"person\": {\"first_name\": \"Betty\"}}", "kind": "fuel", "attempts": 1, "reason": "the fuel is used up in users.greet"}
{"pipeline": "users", "id": "c07e", "data": "{}", "kind": "handler", "attempts": 1, "reason": "person is missing"}`
	for name, text := range map[string][]byte{"relayhost.toml": []byte(usersConfig), "upcase-2.wasm": plugins.Upcase} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := buryIn(filepath.Join(dir, "relayhost.journal"), []byte(burials)); err != nil {
		t.Fatal(err)
	}
}

// scripted is a host that says always the same.
type scripted struct{ control.Host }

func (scripted) Status(context.Context) (control.Status, error) {
	return control.Status{
		Running: true, Version: "0.2.0", PID: 4711, Started: time.Date(2026, 11, 25, 9, 30, 0, 0, time.UTC),
		Pipelines: []control.Pipeline{
			{
				Name: "users", Phase: "running", Plugin: "3c9d1f0a77b2e1", Received: 120_310, Recovered: 12,
				Settled: map[string]int64{"ok": 120_262, "handler": 40, "trap": 1}, InFlight: 7, DeadLettered: 38, Dropped: 3,
				Waiting: map[string]int{"default": 5}, Retries: 1, Kept: &control.Kept{Unsettled: 7, UnsettledBytes: 2100, DeadLetters: 38},
			},
			{
				Name: "audit", Phase: "running", Plugin: "d64a0c55f19be2",
				PluginState: &control.PluginState{Stage: "canary", Candidate: "70e2b8c41d9a05"}, Received: 500, Settled: map[string]int64{"ok": 500},
				Lag: new(int64(12)), Cursor: new(int64(88_412)), Kept: &control.Kept{},
			},
		},
		Journal: &control.Journal{Dir: "relayhost.journal", Bytes: 41_208, MaxBytes: 1 << 30},
	}, nil
}

func (scripted) DeadLetters(context.Context, control.Query) iter.Seq2[control.DeadLetter, error] {
	return func(yield func(control.DeadLetter, error) bool) { yield(control.DeadLetter{}, errors.ErrUnsupported) }
}

// answer has a host listen until stop is called.
func answer(t *testing.T, socket string, h control.Host) (stop func()) {
	t.Helper()
	s, err := control.Listen(socket, h)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Every field of the JSON is in the document.
func TestDeadLettersJSONIsDocumented(t *testing.T) {
	doc := readText(t, deadLettersDocument)
	for _, value := range []any{
		host.ExportedLetter{}, control.Status{}, control.Pipeline{}, control.Kept{}, control.Journal{}, control.Filter{},
	} {
		for _, name := range jsonNames(reflect.TypeOf(value)) {
			if !strings.Contains(doc, "`"+name+"`") {
				t.Errorf("field %s of %T is not in %s", name, value, deadLettersDocument)
			}
		}
	}
}

func jsonNames(of reflect.Type) (names []string) {
	for i := range of.NumField() {
		field := of.Field(i)
		if field.Anonymous {
			names = append(names, jsonNames(field.Type)...)
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
