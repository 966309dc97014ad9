package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/plugin"
)

type replayCommand struct {
	configFlag
	Pipeline string `placeholder:"NAME" help:"Which pipeline of the configuration, if it has several."`

	Topic string `placeholder:"NAME" help:"The topic; the pipeline's by default."`
	Query string `help:"Only the events that this query chooses; the pipeline's by default."`
	From  string `required:"" placeholder:"OFFSET|TIME|earliest" help:"Where to begin."`
	To    string `placeholder:"OFFSET|TIME" help:"Where to end: with this offset, or before this time. The log's end by default."`
	Limit int    `placeholder:"N" help:"End after so many events."`

	Plugin        string  `placeholder:"FILE" help:"The plugin's .wasm file; the configured one by default."`
	Diff          bool    `help:"Compare what --plugin does with what the configured plugin does, and print what differs."`
	Against       string  `placeholder:"FILE" help:"With --diff, compare with this plugin instead."`
	FuelTolerance percent `default:"10%" placeholder:"PERCENT" help:"With --diff, leave out fuel that differs by no more; ${default} by default."`
	JSON          bool    `name:"json" help:"Print a JSON object a line."`

	Clock  plugin.Clock  `default:"" enum:"real,coarse,fixed," help:"The plugin's clock: real, coarse or fixed. With --diff it is fixed by default, else as configured."`
	Random plugin.Random `default:"" enum:"real,seeded," help:"The plugin's random bytes: real or seeded. With --diff they are seeded by default, else as configured."`
	State  plugin.State  `default:"" enum:"reuse,message," help:"What an event finds of those before it, all or nothing: reuse or message; as configured by default."`
}

// Help is shown below the flags.
func (replayCommand) Help() string {
	return `Nothing is acknowledged, locked or delivered, and the journal stays closed: a host
may run meanwhile. The exit status is 0 if the replay ran to its end, whatever
became of the events, 1 if it did not, 2 if nothing could be run. With --diff it
is as diff's: 0 if nothing but fuel differs, 1 if something does, 2 for trouble.
docs/replay.md describes the output.`
}

// report is what a replay is told to.
type report interface {
	add(chunk host.ReplayChunk) error
	// sum prints what became of all. An error says that they are not as they
	// should be.
	sum() error
	events() int
}

// Run prints what became of the events. With --diff, trouble has another status
// than a difference.
func (c *replayCommand) Run(ctx context.Context, p *process) error {
	err := c.replay(ctx, p)
	if _, differ := errors.AsType[differences](err); err != nil && c.Diff && !differ {
		return unusable(err)
	}
	return err
}

func (c *replayCommand) replay(ctx context.Context, p *process) (err error) {
	pipeline, options, err := c.read()
	if err != nil {
		return unusable(err)
	}
	r, err := host.NewReplay(ctx, pipeline, options, host.Options{Logger: p.log})
	if err != nil {
		return unusable(err)
	}
	defer func() { err = errors.Join(err, r.Close(context.WithoutCancel(ctx))) }()
	out := printer{p.out, c.JSON}
	var to report = newReplayed(out)
	if c.Diff {
		to = newCompared(out, c.FuelTolerance)
	}
	return c.tell(ctx, r, to)
}

// tell sums up also what was cut off. Of a chunk that was, no two can be
// compared: one may have got further.
func (c *replayCommand) tell(ctx context.Context, r *host.Replay, to report) error {
	var cut error
	for chunk, err := range r.Chunks(ctx) {
		cut = err
		if c.Diff && ctx.Err() != nil {
			break
		}
		if printing := to.add(chunk); printing != nil {
			return printing
		}
	}
	switch {
	case ctx.Err() != nil:
		cut = errors.New("interrupted")
	case cut == nil && to.events() == 0:
		cut = errors.New("there is no such event in the log\nhint: look at --from, --to, --topic and --query")
	}
	if to.events() == 0 {
		return cut
	}
	summed := to.sum()
	return cmp.Or(cut, summed)
}

// read is the pipeline and what is asked for.
func (c *replayCommand) read() (p config.Pipeline, o host.ReplayOptions, err error) {
	if err := c.consistent(); err != nil {
		return p, o, err
	}
	if o.Log, err = c.stretch(); err != nil {
		return p, o, err
	}
	loaded, err := config.Load(c.Config)
	if err != nil {
		return p, o, err
	}
	if p, err = choose(loaded, c.Config, c.Pipeline); err != nil {
		return p, o, err
	}
	if o.Log.Topic == "" {
		if o.Log.Topic = p.Producer.Topic; o.Log.Topic == "" {
			return p, o, fmt.Errorf("pipeline %q names no topic\nhint: say which with --topic, or set topic in [pipeline.producer]", p.Name)
		}
		o.Log.Query = cmp.Or(o.Log.Query, p.Producer.Query)
	}
	o.CacheDir, o.Limit, o.Modules = loaded.CacheDir, c.Limit, c.modules(p)
	c.change(&p.Plugin)
	return p, o, nil
}

// consistent finds flags that do not go together.
func (c *replayCommand) consistent() error {
	switch {
	case c.Diff && c.Plugin == "":
		return errors.New("--diff compares with --plugin, which is missing")
	case c.Against != "" && !c.Diff:
		return errors.New("--against goes with --diff")
	case c.Limit < 0:
		return fmt.Errorf("--limit is %d, want at least 1, or 0 for none", c.Limit)
	}
	return nil
}

// modules are the plugins that handle the events: with --diff the old one first.
func (c *replayCommand) modules(p config.Pipeline) []string {
	if c.Diff {
		return []string{cmp.Or(c.Against, p.Plugin.Module), c.Plugin}
	}
	return []string{cmp.Or(c.Plugin, p.Plugin.Module)}
}

// change has the flags win over what the configuration says. Two plugins are
// told the same of time and chance, so that these make no difference.
func (c *replayCommand) change(p *config.Plugin) {
	clock, random := c.Clock, c.Random
	if c.Diff {
		clock, random = cmp.Or(clock, plugin.ClockFixed), cmp.Or(random, plugin.RandomSeeded)
	}
	p.Clock, p.Random, p.State = cmp.Or(string(clock), p.Clock), cmp.Or(string(random), p.Random), cmp.Or(string(c.State), p.State)
}
