package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/message"
)

type statusCommand struct {
	configFlag

	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help is shown below the flags.
func (statusCommand) Help() string {
	return `The exit status is 0 if a host runs and all is well with it, 1 if something is
wrong, which standard error says, and 3 if no host runs: then it is shown what
the journal holds. docs/dead-letters.md describes the output.`
}

// Run prints what the host says, and fails if something is wrong with it.
func (c *statusCommand) Run(ctx context.Context, p *process) error {
	loaded, err := journaled(c.Config)
	if err != nil {
		return unusable(err)
	}
	s, err := statusOf(ctx, loaded, p.log)
	if err != nil {
		return err
	}
	if err := c.print(p.out, &s); err != nil {
		return fmt.Errorf("print status: %w", err)
	}
	var trouble []error
	for _, text := range s.Trouble() {
		trouble = append(trouble, errors.New(text))
	}
	if !s.Running {
		trouble = append(trouble, fmt.Errorf("%w with %s", control.ErrNoHost, c.Config))
	}
	return errors.Join(trouble...)
}

func (c *statusCommand) print(w io.Writer, s *control.Status) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(s)
	}
	t := newTable(w)
	t.host(s)
	if s.Running {
		t.pipelines(s.Pipelines)
		t.books(s.Pipelines)
	} else {
		t.kept(s.Pipelines)
	}
	return t.close()
}

// table prints rows of columns.
type table struct {
	out  io.Writer
	tabs *tabwriter.Writer
	err  error
}

func newTable(w io.Writer) *table {
	return &table{out: w, tabs: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
}

func (t *table) row(cells ...string) {
	_, err := fmt.Fprintln(t.tabs, strings.Join(cells, "\t"))
	t.err = errors.Join(t.err, err)
}

// end ends what is aligned, with an empty line.
func (t *table) end() {
	t.err = errors.Join(t.err, t.tabs.Flush())
	_, err := fmt.Fprintln(t.out)
	t.err = errors.Join(t.err, err)
}

func (t *table) close() error { return errors.Join(t.err, t.tabs.Flush()) }

// host is what there is of the host itself, and of its journal.
func (t *table) host(s *control.Status) {
	if s.Running {
		t.row("host", fmt.Sprintf("runs: version %s, pid %d, since %s", s.Version, s.PID, s.Started.UTC().Format(time.RFC3339)))
	} else {
		t.row("host", "does not run")
	}
	t.row("journal", journalText(s.Journal))
	t.end()
}

func journalText(j *control.Journal) string {
	if j == nil {
		return "there is none yet"
	}
	text := fmt.Sprintf("%s, %s of at most %s", j.Dir, sizeText(int(j.Bytes)), sizeText(int(j.MaxBytes)))
	if j.Full {
		text += ", full"
	}
	if j.Error != "" {
		text += ", failing"
	}
	return text
}

func (t *table) pipelines(all []control.Pipeline) {
	t.row("PIPELINE", "PHASE", "PLUGIN", "RECEIVED", "RECOVERED", "OK", "FAILED", "IN FLIGHT", "WAITING", "RETRIES", "HALTED", "LAG", "CURSOR", "DEAD LETTERS")
	for i := range all {
		p := &all[i]
		if p.Phase == "" {
			t.row(p.Name, "not in the configuration", "", "", "", "", "", "", "", "", "", "", "", letters(p.Kept))
			continue
		}
		ok := p.Settled[message.OK.String()]
		waiting := 0
		for _, n := range p.Waiting {
			waiting += n
		}
		t.row(p.Name, p.Phase, pluginText(p), decimal(p.Received), decimal(p.Recovered), decimal(ok), decimal(p.SettledTotal()-ok),
			decimal(p.InFlight), strconv.Itoa(waiting), strconv.Itoa(p.Retries), strconv.Itoa(p.HaltedPartitions),
			optional(p.Lag), optional(p.Cursor), letters(p.Kept))
	}
	t.end()
}

// pluginText is the version that is live, and what the rollout of another is at.
func pluginText(p *control.Pipeline) string {
	text := cmp.Or(shortDigest(p.Plugin), "-")
	if p.PluginState != nil {
		text += fmt.Sprintf(" (%s: %s)", shortDigest(p.PluginState.Candidate), p.PluginState.Stage)
	}
	return text
}

// kept is what a journal holds while no host runs.
func (t *table) kept(all []control.Pipeline) {
	t.row("PIPELINE", "UNSETTLED", "BYTES", "FLOOR", "DEAD LETTERS")
	for i := range all {
		p := &all[i]
		t.row(p.Name, decimal(p.Kept.Unsettled), sizeText(int(p.Kept.UnsettledBytes)), optional(p.Floor), letters(p.Kept))
	}
}

// books are a line for each pipeline that runs.
func (t *table) books(all []control.Pipeline) {
	for i := range all {
		if p := &all[i]; p.Phase != "" {
			_, err := fmt.Fprintln(t.out, booksText(p))
			t.err = errors.Join(t.err, err)
		}
	}
}

func booksText(p *control.Pipeline) string {
	var kinds []string
	for _, kind := range message.Kinds() {
		if n := p.Settled[kind.String()]; n > 0 {
			kinds = append(kinds, fmt.Sprintf("%v %d", kind, n))
		}
	}
	text := fmt.Sprintf("%s: received %d = settled %d + in flight %d", p.Name, p.Received, p.SettledTotal(), p.InFlight)
	if len(kinds) > 0 {
		text += "; settled: " + strings.Join(kinds, ", ")
	}
	if p.DeadLettered+p.Dropped+p.Unlocked > 0 {
		text += fmt.Sprintf("; of the failed: dead letters %d, dropped %d, unlocked %d", p.DeadLettered, p.Dropped, p.Unlocked)
	}
	return text
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// optional is a number that may not be known.
func optional(n *int64) string {
	if n == nil {
		return "-"
	}
	return decimal(*n)
}

func letters(k *control.Kept) string {
	if k == nil {
		return "-"
	}
	return decimal(k.DeadLetters)
}
