package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/relayhost/relayhost/host/eventrelay"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

type publishCommand struct {
	server `embed:""`

	Topic string   `arg:"" help:"The topic: name or name:identifier."`
	Files []string `arg:"" optional:"" name:"file" help:"Files with events as JSON: objects one after the other, or arrays of them; - is standard input."`

	Name    string            `help:"Publish one event of this name instead of files."`
	Data    string            `default:"{}" placeholder:"JSON" help:"The event's data, an object."`
	Source  string            `default:"relayhost" help:"The event's source."`
	Context map[string]string `placeholder:"KEY=VALUE" help:"The event's context."`

	NotDurable bool `help:"Hand the events out without storing them."`
}

// Help is shown below the flags.
func (publishCommand) Help() string {
	return `An event in a file has the fields of EventRelay's NewEvent, in snake_case or
camelCase; data may be JSON text or simply an object.`
}

// Run prints the id of every event that was stored, a line each.
func (c *publishCommand) Run(ctx context.Context, p *process) error {
	events, err := c.events(p)
	if err != nil {
		return err
	}
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	published, err := eventrelay.Publish(ctx, conn, c.Topic, events, !c.NotDurable)
	for _, e := range published {
		_, _ = fmt.Fprintln(p.out, e.GetId())
	}
	_, _ = fmt.Fprintf(p.err, "published %d of %d events to topic %s\n", len(published), len(events), c.Topic)
	return err
}

func (c *publishCommand) events(p *process) ([]*pb.NewEvent, error) {
	if c.Name != "" && len(c.Files) > 0 {
		return nil, usageError{"--name and files exclude each other"}
	}
	if c.Name != "" {
		return []*pb.NewEvent{{Name: c.Name, Data: c.Data, Source: c.Source, Context: c.Context}}, nil
	}
	if len(c.Files) == 0 {
		return nil, usageError{"there is nothing to publish\nhint: name a file of events, - for standard input, or one event by --name and --data"}
	}
	var all []*pb.NewEvent
	for _, file := range c.Files {
		events, err := readEvents[pb.NewEvent](file, p.in)
		if err != nil {
			return nil, err
		}
		if err := c.complete(file, events); err != nil {
			return nil, err
		}
		all = append(all, events...)
	}
	return all, nil
}

// complete gives events their source. Of what is blank, EventRelay says no more
// than that the server failed.
func (c *publishCommand) complete(file string, events []*pb.NewEvent) error {
	for i, e := range events {
		if e.GetName() == "" {
			return usageError{fmt.Sprintf("event %d of %s has no name", i+1, file)}
		}
		e.Source = cmp.Or(e.GetSource(), c.Source)
	}
	return nil
}
