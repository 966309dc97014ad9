package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

type tryCommand struct {
	File   string   `arg:"" help:"The plugin's .wasm file."`
	Event  []string `required:"" sep:"none" placeholder:"FILE" help:"A file of events as JSON: objects one after the other, or arrays of them; - is standard input. May be given several times."`
	Config string   `placeholder:"FILE" help:"The plugin's config table: a TOML or JSON file, or JSON text that begins with a brace."`
	JSON   bool     `name:"json" help:"Print a JSON object a line."`

	Deadline time.Duration `placeholder:"DURATION" help:"How long the plugin may take for an event, 5s by default."`
	Fuel     uint64        `placeholder:"UNITS" help:"How much it may execute for an event, in units of fuel."`
	Clock    plugin.Clock  `default:"real" enum:"real,coarse,fixed" help:"The plugin's clock: ${enum}."`
	State    plugin.State  `default:"reuse" enum:"reuse,message" help:"What an event finds of those before it, all or nothing: ${enum}."`
	Random   plugin.Random `default:"real" enum:"real,seeded" help:"The plugin's random bytes: ${enum}."`
}

// Help is shown below the flags.
func (tryCommand) Help() string {
	return `An event has the fields of EventRelay's Event, in snake_case or camelCase; data
may be JSON text or simply an object. The exit status is 0 if every event is ok,
1 if one failed, 2 if nothing could be run. docs/plugin-commands.md describes
the output. With --clock fixed and --random seeded it is the same in every run.`
}

// Run prints what became of each event. Nothing is run if any of what was named
// cannot be used.
func (c *tryCommand) Run(ctx context.Context, p *process) (err error) {
	file, settings, events, err := c.read(p)
	if err != nil {
		return unusable(err)
	}
	engine, err := plugin.Open(ctx, plugin.Options{CacheDir: config.DefaultCacheDir(), Logger: p.log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close(context.WithoutCancel(ctx))) }()
	loaded, err := engine.Load(ctx, c.File, file, settings)
	if _, refused := errors.AsType[*plugin.Refusal](err); refused {
		return unusable(err)
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loaded.Close(context.WithoutCancel(ctx))) }()
	slot, err := loaded.NewSlot(ctx)
	if err != nil {
		return err
	}
	t := trial{slot: slot, out: p.out, json: c.JSON}
	return errors.Join(t.run(ctx, events), slot.Close(ctx), t.sum(p.err, len(events)))
}

// read reads all that was named.
func (c *tryCommand) read(p *process) (file []byte, settings plugin.Settings, events []*message.Message, err error) {
	if events, err = c.events(p); err != nil {
		return nil, settings, nil, err
	}
	if settings, err = c.settings(len(events)); err != nil {
		return nil, settings, nil, err
	}
	file, err = plugin.ReadFile(c.File, 0)
	return file, settings, events, err
}

// events has each event as a server would send it.
func (c *tryCommand) events(p *process) ([]*message.Message, error) {
	var all []*message.Message
	for _, file := range c.Event {
		events, err := readEvents[pb.Event](file, p.in)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
			if err != nil {
				return nil, fmt.Errorf("encode event %s: %w", e.GetId(), err)
			}
			all = append(all, &message.Message{
				ID: e.GetId(), Event: raw, Position: int64(e.GetOffset()), Attempt: 1, Batcher: message.DefaultBatcher,
			})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no event in %s", strings.Join(c.Event, ", "))
	}
	return all, nil
}

// settings are a pipeline's, but for the rest that a pipeline gives a plugin
// which fails all the time.
func (c *tryCommand) settings(events int) (plugin.Settings, error) {
	s := plugin.Settings{Pipeline: "test", State: c.State, Clock: c.Clock, Random: c.Random}
	s.Limits.Message = plugin.Limit{Deadline: c.Deadline, Fuel: c.Fuel}
	s.Limits.Failures = events + 1
	if c.Deadline < 0 {
		return s, fmt.Errorf("--deadline is %v, want a positive duration", c.Deadline)
	}
	if c.Config == "" {
		return s, nil
	}
	read := config.LoadPluginConfig
	if strings.HasPrefix(strings.TrimSpace(c.Config), "{") {
		read = func(text string) (json.RawMessage, error) { return config.ParsePluginConfig("--config", []byte(text)) }
	}
	table, err := read(c.Config)
	s.Config = string(table)
	return s, err
}
