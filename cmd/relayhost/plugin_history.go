package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/plugin"
)

type historyCommand struct {
	configFlag
	pipelineArg

	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help is shown below the flags.
func (historyCommand) Help() string {
	return `The versions are newest first; any that was live can be gone back to, by the digits
of its digest that are shown. docs/openapi.yaml describes the JSON: it is Plugin.`
}

// Run prints the versions.
func (c *historyCommand) Run(ctx context.Context, p *process) error {
	h, err := reachRunning(c.Config)
	if err != nil {
		return err
	}
	found, err := h.Plugin(ctx, c.Pipeline)
	if err != nil {
		return err
	}
	if err := c.print(p.out, &found); err != nil {
		return fmt.Errorf("print the history: %w", err)
	}
	return nil
}

func (c *historyCommand) print(w io.Writer, found *control.Plugin) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(found)
	}
	t := newTable(w)
	t.row("pipeline", found.Pipeline)
	t.row("mode", found.Mode)
	if found.Rollout != nil {
		t.rollout(found.Rollout)
	}
	t.end()
	t.versions(found.Versions)
	return t.close()
}

// rollout is how far the last one is, and what its trial shows.
func (t *table) rollout(r *control.Rollout) {
	state := r.Stage
	if r.Result != "" {
		state = resultText(r.Result)
	}
	t.row("rollout", fmt.Sprintf("%d, %s: %s%s", r.Number, versionText(r.Source, r.Digest), state, because(r.Error)))
	if r.Trying() {
		t.row("trial", r.Stage+trialEnd(r))
	}
	if r.Trial == nil {
		return
	}
	t.row("live", measuresText(r.Trial.Live))
	t.row("candidate", measuresText(r.Trial.Candidate))
	if r.Trial.Compared+r.Trial.Skipped > 0 {
		t.row("compared", fmt.Sprintf("%d, of which %d differ; %d skipped", r.Trial.Compared, r.Trial.Differed, r.Trial.Skipped))
	}
	for _, d := range r.Trial.Differences {
		t.row("differs", fmt.Sprintf("event %s in %s", plugin.Printable(d.EventID, shown), plugin.Printable(strings.Join(d.Fields, ", "), shown)))
	}
}

// because is a reason, on the line of what it is the reason of.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + firstLine(reason)
}

// firstLine is a reason without its hint.
func firstLine(reason string) string {
	line, _, _ := strings.Cut(reason, "\n")
	return plugin.Printable(line, shown)
}

// measuresText has what is comparable, a message's share of each.
func measuresText(m control.Measures) string {
	if m.Messages == 0 {
		return "no messages yet"
	}
	n := float64(m.Messages)
	each := time.Duration(m.Seconds / n * float64(time.Second))
	return fmt.Sprintf("%d messages, %d failures (%.2f %%), %v and %.0f fuel a message",
		m.Messages, m.Failures, 100*float64(m.Failures)/n, each.Round(time.Microsecond), float64(m.Fuel)/n)
}

func (t *table) versions(all []control.Version) {
	t.row("VERSION", "STATE", "SEEN", "LIVE", "SIZE", "SOURCE", "REASON")
	for _, v := range all {
		t.row(shortDigest(v.Digest), strings.ReplaceAll(v.State, "_", " "), instant(v.Seen), instant(v.Live),
			sizeText(v.Size), plugin.Printable(v.Source, nameShown), cmp.Or(firstLine(v.Reason), "-"))
	}
}

// instant is a time that may not be.
func instant(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.UTC().Format(time.RFC3339)
}
