package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/plugin"
)

type deadLettersCommand struct {
	List   listLettersCommand   `cmd:"" help:"List dead letters, oldest first, without their payloads."`
	Show   showLetterCommand    `cmd:"" help:"Show all there is of one."`
	Retry  retryLettersCommand  `cmd:"" help:"Have them handled again, or try another plugin on them."`
	Export exportLettersCommand `cmd:"" help:"Write them down, whole."`
	Purge  purgeLettersCommand  `cmd:"" help:"Delete them."`
}

// lettersFlags choose dead letters.
type lettersFlags struct {
	configFlag

	IDs      []string `arg:"" name:"id" optional:"" help:"Only these."`
	Pipeline string   `placeholder:"NAME" help:"Only those of this pipeline."`
	Digest   string   `placeholder:"DIGEST" help:"Only those that a plugin failed whose digest begins so."`
	Kind     string   `placeholder:"KIND" help:"Only those that failed so: handler, trap, deadline, fuel, memory, exit, abi, routing, missing, sink or unavailable."`
	Since    moment   `placeholder:"TIME" help:"Only those that were given up then or later: 2026-01-31T12:00:00Z, or 2h for two hours ago."`
	Until    moment   `placeholder:"TIME" help:"Only those that were given up before then."`
	Limit    int      `placeholder:"N" help:"Only the oldest N of these."`
}

// moment is a time, or how long ago it was.
type moment struct{ time.Time }

// UnmarshalText reads either.
func (m *moment) UnmarshalText(text []byte) (err error) {
	if ago, err := time.ParseDuration(string(text)); err == nil && ago >= 0 {
		m.Time = time.Now().Add(-ago)
		return nil
	}
	if m.Time, err = time.Parse(time.RFC3339, string(text)); err != nil {
		return fmt.Errorf("%.64q is no time: want 2026-01-31T12:00:00Z, or 2h for two hours ago", text)
	}
	return nil
}

// filter is what the flags choose.
func (c *lettersFlags) filter() (control.Filter, error) {
	f := control.Filter{
		IDs: c.IDs, Pipeline: c.Pipeline, Plugin: c.Digest, Kind: c.Kind, Since: c.Since.Time, Until: c.Until.Time, Limit: c.Limit,
	}
	if err := f.Check(); err != nil {
		return f, unusable(err)
	}
	return f, nil
}

// all is an error if not all are there that were named.
func (c *lettersFlags) all(n int, done string) error {
	if n < len(c.IDs) {
		return fmt.Errorf("%d of the %d dead letters were %s: the others are not there, or the flags do not choose them", n, len(c.IDs), done)
	}
	return nil
}

type listLettersCommand struct {
	lettersFlags

	JSON bool `name:"json" help:"Print a JSON object a line."`
}

// Help is shown below the flags.
func (listLettersCommand) Help() string {
	return `A line has the id, when it was given up, the pipeline, the event's id, the kind of
failure, how often it was handled, and the reason. docs/dead-letters.md describes
the JSON.`
}

// Run prints a line for each.
func (c *listLettersCommand) Run(ctx context.Context, p *process) error {
	f, err := c.filter()
	if err != nil {
		return err
	}
	return with(c.Config, p, func(r *reached) error {
		n, out := 0, printer{p.out, c.JSON}
		for d, err := range r.DeadLetters(ctx, control.Query{Filter: f}) {
			if err != nil {
				return err
			}
			if err := out.print(letterLine(d)); err != nil {
				return err
			}
			n++
		}
		_, _ = fmt.Fprintln(p.err, counted(n))
		return c.all(n, "found")
	})
}

// counted is how many dead letters there are.
func counted(n int) string {
	if n == 1 {
		return "1 dead letter"
	}
	return fmt.Sprintf("%d dead letters", n)
}

// letterLine is a dead letter as one line, for people or as JSON.
type letterLine control.DeadLetter

// String is for people.
func (l letterLine) String() string {
	return fmt.Sprintf("%s  %s  %s  %s  %s  %d  %s", l.ID, l.Failed.UTC().Format(time.RFC3339), l.Pipeline,
		plugin.Printable(l.EventID, shown), l.Kind, l.Attempts, plugin.Printable(l.Reason, shown))
}

// MarshalJSON has the dead letter's own form.
func (l letterLine) MarshalJSON() ([]byte, error) { return json.Marshal(control.DeadLetter(l)) }

type purgeLettersCommand struct {
	lettersFlags

	Yes bool `help:"Delete all of them, if nothing says which."`
}

// Run deletes them.
func (c *purgeLettersCommand) Run(ctx context.Context, p *process) error {
	f, err := c.filter()
	if err != nil {
		return err
	}
	if f.Everything() && !c.Yes {
		return usageError{"that would delete every dead letter, of every pipeline\nhint: say which, by their ids or with flags, or --yes if that is meant"}
	}
	f.All = c.Yes
	return with(c.Config, p, func(r *reached) error {
		n, err := r.Purge(ctx, f)
		_, _ = fmt.Fprintf(p.err, "%s deleted\n", counted(n))
		if err != nil {
			return err
		}
		return c.all(n, "deleted")
	})
}
