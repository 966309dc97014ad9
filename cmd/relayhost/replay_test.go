package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/relayhost/relayhost/host/devserver"
	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/host/trial"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// The transcripts of docs/replay.md are what the command prints, on a server
// with one event for each letter.
func TestReplayDocument(t *testing.T) {
	doc := readText(t, "../../docs/replay.md")
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	old := readText(t, "testdata/guests/letters.wasm")
	write(t, dir+"/letters.wasm", old)
	write(t, dir+"/new.wasm", strings.Replace(old, "version=1", "version=2", 1))
	s := serve(t, dir)
	destination, err := s.provision("users")
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/relayhost.toml", lettersConfig(s, destination))
	publishLetters(t, s, "adrfnsb")
	t.Chdir(dir)
	transcripts(t, doc, 3)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serve runs a server until the test ends.
func serve(t *testing.T, dir string) *embedded {
	t.Helper()
	s, err := newEmbedded(embeddedOptions{dir: dir, plaintext: true, Options: devserver.Options{Listen: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func lettersConfig(s *embedded, destination string) string {
	return fmt.Sprintf(`[[pipeline]]
name = "letters"
[pipeline.producer]
destination_id = %q
port = %d
token = { file = "tokens/users.consumer" }
[pipeline.plugin]
module = "letters.wasm"
[pipeline.batchers.default]
batch_size = 3
[pipeline.batchers.audit]
`, destination, s.port())
}

func publishLetters(t *testing.T, s *embedded, letters string) {
	t.Helper()
	conn, err := (server{Host: "localhost", Port: s.port(), TokenFile: s.tokenFile("users.producer")}).dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // a test's own
	var events []*pb.NewEvent
	for _, letter := range letters {
		events = append(events, &pb.NewEvent{Name: string(letter), Source: "test", Data: "{}"})
	}
	if _, err := eventrelay.Publish(t.Context(), conn, "users", events, true); err != nil {
		t.Fatal(err)
	}
}

// Every field of the JSON is in the document.
func TestReplayIsDocumented(t *testing.T) {
	doc := readText(t, "../../docs/replay.md") + readText(t, "../../docs/plugin-commands.md")
	for _, line := range []any{replayedSummary{}, comparedSummary{}, eventDifference{}, batchDifference{}, eventSide{Flush: true, Retryable: true}} {
		text, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(doc, field[1]+"`") {
				t.Errorf("field %s is not in docs/replay.md", field[1])
			}
		}
	}
	for _, f := range append(trial.Fields(), fuelField) {
		if !strings.Contains(doc, "`"+string(f)+"`") {
			t.Errorf("differing in %s is not in docs/replay.md", f)
		}
	}
}

func TestPlace(t *testing.T) {
	for text, want := range map[string]string{
		"1":                      "1 0001-01-01T00:00:00Z",
		"2147483647":             "2147483647 0001-01-01T00:00:00Z",
		"2026-01-02":             "0 2026-01-02T00:00:00Z",
		"2026-01-02T03:04:05Z":   "0 2026-01-02T03:04:05Z",
		"2026-01-02T03:04:05.5Z": "0 2026-01-02T03:04:05Z",
		"0":                      "",
		"-1":                     "",
		"2147483648":             "",
		"2026-01":                "",
		"2026-01-02T03:04":       "",
		"":                       "",
	} {
		offset, at, err := place("--from", text, "")
		if got := fmt.Sprint(offset, " ", at.Format(time.RFC3339)); (err != nil) != (want == "") || err == nil && got != want {
			t.Errorf("%q: %s, %v; want %q", text, got, err, want)
		}
	}
}

func TestPercent(t *testing.T) {
	for text, want := range map[string]string{
		"10%": "10%", "0%": "0%", "12.5%": "12.5%", "100%": "100%",
		"10": "", "-1%": "", "NaN%": "", "Inf%": "", "%": "", "x%": "",
	} {
		var p percent
		if err := p.UnmarshalText([]byte(text)); (err != nil) != (want == "") || err == nil && p.String() != want {
			t.Errorf("%q: %v, %v; want %q", text, p, err, want)
		}
	}
}

func TestContrast(t *testing.T) {
	long := strings.Repeat("long ", 100)
	lines := func(n int) string { return strings.Repeat("line\n", n) }
	for name, c := range map[string]struct {
		field         trial.Field
		before, after string
		want          []string
	}{
		"texts":       {trial.FieldBatcher, "a", "b", []string{"batcher", "- a", "+ b"}},
		"none":        {trial.FieldBatchKey, "", "b", []string{"batch_key", "- (none)", "+ b"}},
		"no JSON":     {trial.FieldData, "a", "b", []string{"data", "- a", "+ b"}},
		"JSON":        {trial.FieldData, `{"a":1,"b":2}`, `{"a":1,"b":3}`, []string{"data", "@@ -1,4 +1,4 @@", " {", `   "a": 1,`, `-  "b": 2`, `+  "b": 3`, " }"}},
		"as it was":   {trial.FieldData, "(as it was)", `[]`, []string{"data", "- (as it was)", "+ []"}},
		"white space": {trial.FieldData, `{"a": 1}`, `{"a":1}`, []string{"data", `- {"a": 1}`, `+ {"a":1}`}},
		"lines":       {trial.FieldRecords, "a\nb", "a\nc", []string{"records", "@@ -1,2 +1,2 @@", " a", "-b", "+c"}},
		"forged":      {trial.FieldReason, "a\n7 events: 7 same", "b\x1b[2J", []string{"reason", `- a\n7 events: 7 same`, `+ b\x1b[2J`}},
		"late":        {trial.FieldReason, long + "a", long + "b", []string{"reason", "- …" + long[len(long)-diffAhead:] + "a", "+ …" + long[len(long)-diffAhead:] + "b"}},
		"late in a line": {trial.FieldData, `["` + long + `a"]`, `["` + long + `b"]`, []string{
			"data", "- …" + long[len(long)-diffAhead:] + `a"]`, "+ …" + long[len(long)-diffAhead:] + `b"]`,
		}},
		"many lines": {trial.FieldRecords, lines(30), "", append(append([]string{"records", "@@ -1,31 +1,1 @@"},
			strings.Split(strings.TrimSuffix(strings.Repeat("-line\n", 19), "\n"), "\n")...), "… and 12 lines more")},
	} {
		if got := contrast(c.field, c.before, c.after); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
			t.Errorf("%s:\n%q, want\n%q", name, got, c.want)
		}
	}
}

// Whatever guests write, a contrast is a few short lines that print.
func FuzzContrast(f *testing.F) {
	f.Add(`{"a":1}`, `{"a":2}`)
	f.Add("a\nb", "a\r\nc\x1b[31m")
	f.Add(strings.Repeat("é", 200)+"a", strings.Repeat("é", 200)+"b")
	f.Add(strings.Repeat("\x80", 300)+"a", strings.Repeat("\x80", 300)+"b")
	f.Add(strings.Repeat("[", 9000)+strings.Repeat("]", 9000), `["}"]`)
	f.Fuzz(func(t *testing.T, before, after string) {
		lines := contrast(trial.FieldData, before, after)
		if len(lines) > diffLines+3 {
			t.Errorf("%d lines", len(lines))
		}
		for _, line := range lines {
			if len(line) > shown+20 || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q", line)
			}
		}
	})
}

// The geometric mean, and what is beyond the tolerance.
func TestFuelRatio(t *testing.T) {
	r := fuelRatio{Tolerance: 0.1}
	var beyond bytes.Buffer
	for _, c := range [][2]uint64{{100, 200}, {100, 50}, {100, 110}, {100, 89}, {0, 7}, {7, 0}} {
		fmt.Fprint(&beyond, r.add(c[0], c[1]), " ")
	}
	if beyond.String() != "true true false true false false " {
		t.Error(beyond.String())
	}
	if want := "×0.995 in the geometric mean, from ×0.500 to ×2.000; 3 of 4 differ by more than 10%"; r.String() != want {
		t.Errorf("%v, want %s", r, want)
	}
}
