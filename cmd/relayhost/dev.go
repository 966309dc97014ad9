package main

import (
	"context"

	"github.com/relayhost/relayhost/host/plugin"
)

type devCommand struct {
	Path    string   `arg:"" help:"The plugin: the folder of its source, or a .wasm file that something else builds."`
	Event   []string `sep:"none" placeholder:"FILE" help:"A file or directory of events, as plugin test takes it, or several. Otherwise they are PATH/events.json or PATH/testdata/*.json, or two events of our own."`
	Config  string   `placeholder:"FILE" help:"The plugin's config table: a TOML or JSON file, or JSON text that begins with a brace."`
	Batcher []string `sep:"none" placeholder:"NAME[:SIZE]" help:"Have this batcher; otherwise there is default if the plugin handles batches. May be given several times."`
	Once    bool     `help:"Build and run once."`

	HostConfig string `short:"c" placeholder:"FILE" help:"Run the host of this configuration with what is built; or with --event or --once, its pipeline on those events."`
	Pipeline   string `placeholder:"NAME" help:"Which pipeline of the configuration, if it has several."`
}

// Help is shown below the flags.
func (devCommand) Help() string {
	return `Builds the plugin, runs it on events, and prints what became of them. Whenever a
source is saved it does so again, and prints what has changed since the last build
that ran. Ctrl-C ends it. With --once the exit status is 0 if every event is ok, 1
if one failed, 2 if nothing could be run. docs/dev.md tells more.`
}

// Run goes on until it is told to stop, or with --once has one turn.
func (c *devCommand) Run(ctx context.Context, p *process) error {
	source, err := findSource(c.Path)
	if err != nil {
		return unusable(err)
	}
	if c.live() {
		return c.runHost(ctx, p, source)
	}
	bench := &workbench{process: p, path: c.Path, try: c.try()}
	if _, err := bench.try.options(p); err != nil {
		return unusable(err)
	}
	if c.Once {
		return bench.turn(ctx, source.build)
	}
	source.watch(ctx, p.log, func(build buildFunc) {
		if err := bench.turn(ctx, build); err != nil && ctx.Err() == nil {
			fail(*p, err)
		}
		p.log.Info("waiting for a change", "path", c.Path)
	})
	return nil
}

// live reports whether the events are those of a host.
func (c *devCommand) live() bool {
	return c.HostConfig != "" && len(c.Event) == 0 && !c.Once
}

// try is `relayhost plugin test` with the same flags, and with the same clock and
// random bytes in every run, so that nothing differs but for a change of source.
func (c *devCommand) try() tryCommand {
	return tryCommand{
		File: c.Path, Event: c.Event, Config: c.Config, Batcher: c.Batcher,
		HostConfig: c.HostConfig, Pipeline: c.Pipeline,
		Clock: plugin.ClockFixed, Random: plugin.RandomSeeded,
	}
}
