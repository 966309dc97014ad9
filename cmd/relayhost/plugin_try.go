package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/trial"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

type tryCommand struct {
	File   string   `arg:"" help:"The plugin's .wasm file."`
	Event  []string `required:"" sep:"none" placeholder:"FILE" help:"A file of events as JSON: objects one after the other, or arrays of them; - is standard input, and of a directory every *.json and *.jsonl file. May be given several times."`
	Config string   `placeholder:"FILE" help:"The plugin's config table: a TOML or JSON file, or JSON text that begins with a brace."`
	JSON   bool     `name:"json" help:"Print a JSON object a line."`

	Batcher    []string `sep:"none" placeholder:"NAME[:SIZE]" help:"Run the whole pipeline, with this batcher; its size is 100 by default. May be given several times."`
	HostConfig string   `short:"c" placeholder:"FILE" help:"Run the whole pipeline, as this configuration of relayhost has it."`
	Pipeline   string   `placeholder:"NAME" help:"Which pipeline of the configuration, if it has several."`

	Deadline time.Duration `placeholder:"DURATION" help:"How long the plugin may take for an event, 5s by default."`
	Fuel     uint64        `placeholder:"UNITS" help:"How much it may execute for an event, in units of fuel."`
	Clock    plugin.Clock  `default:"" enum:"real,coarse,fixed," help:"The plugin's clock: real (the default), coarse or fixed."`
	State    plugin.State  `default:"" enum:"reuse,message," help:"What an event finds of those before it, all or nothing: reuse (the default) or message."`
	Random   plugin.Random `default:"" enum:"real,seeded," help:"The plugin's random bytes: real (the default) or seeded."`
}

// Help is shown below the flags.
func (tryCommand) Help() string {
	return `An event has the fields of EventRelay's Event, in snake_case or camelCase; data
may be JSON text or simply an object. The exit status is 0 if every event is ok,
1 if one failed, 2 if nothing could be run. With --batcher or -c the events go
through the whole pipeline, and each batch is printed as well. docs/plugin-commands.md describes
the output. With --clock fixed and --random seeded it is the same in every run.`
}

// Run prints what became of each event. Nothing is run if any of what was named
// cannot be used.
func (c *tryCommand) Run(ctx context.Context, p *process) error {
	setup, events, err := c.read(p)
	if err != nil {
		return unusable(err)
	}
	if c.whole() {
		err = c.runPipeline(ctx, p, setup, events)
	} else {
		err = c.runSlot(ctx, p, setup, events)
	}
	if _, refused := errors.AsType[*plugin.Refusal](err); refused {
		return unusable(err)
	}
	return err
}

// runSlot runs events through handle_message alone.
func (c *tryCommand) runSlot(ctx context.Context, p *process, setup trial.Options, events []*pb.Event) (err error) {
	engine, err := plugin.Open(ctx, plugin.Options{CacheDir: setup.CacheDir, Logger: p.log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close(context.WithoutCancel(ctx))) }()
	loaded, err := engine.Load(ctx, c.File, setup.Module, setup.Settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loaded.Close(context.WithoutCancel(ctx))) }()
	slot, err := loaded.NewSlot(ctx)
	if err != nil {
		return err
	}
	messages, err := trial.Messages(events)
	if err != nil {
		return errors.Join(err, slot.Close(ctx))
	}
	t := tryout{printer: printer{p.out, c.JSON}, slot: slot}
	return errors.Join(t.run(ctx, messages), slot.Close(ctx), t.sum(p.err, len(events)))
}

// read reads all that was named.
func (c *tryCommand) read(p *process) (setup trial.Options, events []*pb.Event, err error) {
	if events, err = c.events(p); err != nil {
		return setup, nil, err
	}
	if setup, err = c.options(p); err != nil {
		return setup, nil, err
	}
	setup.Settings.Limits.Failures = len(events) + 1
	setup.Module, err = plugin.ReadFile(c.File, setup.Settings.Limits.Module.Size)
	return setup, events, err
}

// options are what the flags say but for the module.
func (c *tryCommand) options(p *process) (setup trial.Options, err error) {
	if setup, err = c.setup(p); err != nil {
		return setup, err
	}
	setup.Name, setup.CacheDir, setup.Logger = c.File, config.DefaultCacheDir(), p.log
	return setup, c.change(&setup.Settings)
}

// events are those of all that was named.
func (c *tryCommand) events(p *process) ([]*pb.Event, error) {
	var all []*pb.Event
	for _, name := range c.Event {
		files, err := eventFiles(name)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			events, err := readEvents[pb.Event](file, p.in)
			if err != nil {
				return nil, err
			}
			all = append(all, events...)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no event in %s", strings.Join(c.Event, ", "))
	}
	return all, nil
}

// change has the flags win over what a configuration says.
func (c *tryCommand) change(s *plugin.Settings) error {
	s.Pipeline = cmp.Or(s.Pipeline, "test")
	s.State, s.Clock, s.Random = cmp.Or(c.State, s.State), cmp.Or(c.Clock, s.Clock), cmp.Or(c.Random, s.Random)
	message := &s.Limits.Message
	message.Deadline, message.Fuel = cmp.Or(c.Deadline, message.Deadline), cmp.Or(c.Fuel, message.Fuel)
	if c.Deadline < 0 {
		return fmt.Errorf("--deadline is %v, want a positive duration", c.Deadline)
	}
	if c.Config == "" {
		return nil
	}
	read := config.LoadPluginConfig
	if strings.HasPrefix(strings.TrimSpace(c.Config), "{") {
		read = func(text string) (json.RawMessage, error) { return config.ParsePluginConfig("--config", []byte(text)) }
	}
	table, err := read(c.Config)
	s.Config = string(table)
	return err
}
