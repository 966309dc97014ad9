package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/trial"
)

// What of a difference is shown to people. JSON has all of it.
const (
	diffLines = 20       // of a difference of many lines
	diffBytes = 64 << 10 // longer texts are not compared by lines
	diffAhead = 40       // bytes before the first difference within a line
	diffDepth = 50       // JSON of more nesting is not indented: it would grow by its square
)

// side is one of two that differ.
type side interface{ field(f trial.Field) string }

// contrasts is a line for what differs, and below it the contrast of each field.
func contrasts(line string, fields []trial.Field, before, after side) string {
	names, lines := make([]string, len(fields)), []string{""}
	for i, f := range fields {
		names[i] = string(f)
		lines = append(lines, contrast(f, before.field(f), after.field(f))...)
	}
	lines[0] = line + " differs in " + strings.Join(names, ", ")
	return strings.Join(lines, "\n  ")
}

// contrast is a field's two values, a line each, or what differs between them
// if they have several lines, as JSON has once it is indented.
func contrast(f trial.Field, before, after string) []string {
	lines := []string{string(f)}
	if f == trial.FieldData || f == trial.FieldRecords || f == trial.FieldOutputs {
		if byLine := lineDiff(indented(before), indented(after)); byLine != nil {
			return append(lines, byLine...)
		}
	}
	before, after = apart(before, after)
	return append(lines, "- "+oneLine(before), "+ "+oneLine(after))
}

func oneLine(text string) string { return plugin.Printable(cmp.Or(text, "(none)"), shown) }

// indented is JSON over several lines; anything else stays as it is.
func indented(text string) string {
	var out bytes.Buffer
	if len(text) > diffBytes || depth(text) > diffDepth || json.Indent(&out, []byte(text), "", "  ") != nil {
		return text
	}
	return out.String()
}

// depth is how deep JSON nests.
func depth(text string) (deepest int) {
	open := 0
	for d := json.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			open++
			deepest = max(deepest, open)
		case json.Delim('}'), json.Delim(']'):
			open--
		}
	}
}

// lineDiff is what differs by line; nil if that would not show it well.
func lineDiff(before, after string) (lines []string) {
	many := strings.Contains(before+after, "\n")
	if !many || len(before) > diffBytes || len(after) > diffBytes || before == after {
		return nil
	}
	text := string(diff.Diff("old", []byte(before+"\n"), "new", []byte(after+"\n")))
	all := strings.Split(strings.TrimSuffix(text, "\n"), "\n")[3:] // less the names
	for i, line := range all {
		if len(line) > shown {
			return nil
		}
		if i == diffLines {
			return append(lines, fmt.Sprintf("… and %d lines more", len(all)-i))
		}
		lines = append(lines, plugin.Printable(line, shown))
	}
	return lines
}

// apart leaves out what two long texts begin with alike, so that what is shown of
// them differs.
func apart(before, after string) (string, string) {
	same := 0
	for same < min(len(before), len(after)) && before[same] == after[same] {
		same++
	}
	start := same - diffAhead
	if same < shown/2 {
		return before, after
	}
	for start > 0 && !utf8.RuneStart(before[start]) {
		start--
	}
	return "…" + before[start:], "…" + after[start:]
}

// payload is an event's data in a comparison.
func (o outcome) payload() string {
	switch {
	case o.Data != nil:
		return *o.Data
	case o.Base64 != nil:
		return string(o.Base64)
	}
	return "(as it was)"
}

// outputLines is a line for each of several messages.
func outputLines(outputs []output) string {
	var lines []string
	for _, made := range outputs {
		o := outcome{Data: made.Data, Base64: made.Base64, Batcher: made.Batcher, BatchKey: made.BatchKey}
		lines = append(lines, o.route()+"  "+plugin.Printable(o.payload(), shown))
	}
	return strings.Join(lines, "\n")
}
