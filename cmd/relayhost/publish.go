package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/encoding/protojson"

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
		events, err := readEvents(file, p.in)
		if err != nil {
			return nil, fmt.Errorf("read events of %s: %w", file, err)
		}
		all = append(all, events...)
	}
	return all, nil
}

func readEvents(file string, stdin io.Reader) ([]*pb.NewEvent, error) {
	if file == "-" {
		return decodeEvents(stdin)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return decodeEvents(f)
}

// decodeEvents reads JSON values one after the other, and arrays of them.
func decodeEvents(r io.Reader) ([]*pb.NewEvent, error) {
	var events []*pb.NewEvent
	for d := json.NewDecoder(bufio.NewReader(r)); ; {
		var value json.RawMessage
		if err := d.Decode(&value); errors.Is(err, io.EOF) {
			return events, nil
		} else if err != nil {
			return nil, fmt.Errorf("event %d: %w", len(events)+1, err)
		}
		items := []json.RawMessage{value}
		if bytes.HasPrefix(value, []byte("[")) {
			if err := json.Unmarshal(value, &items); err != nil {
				return nil, err
			}
		}
		for _, item := range items {
			e, err := decodeEvent(item)
			if err != nil {
				return nil, fmt.Errorf("event %d: %w", len(events)+1, err)
			}
			events = append(events, e)
		}
	}
}

// decodeEvent reads one event; where data is a JSON value other than text, its
// text is the data.
func decodeEvent(item json.RawMessage) (*pb.NewEvent, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(item, &fields); err != nil {
		return nil, err
	}
	if data := fields["data"]; len(data) > 0 && data[0] != '"' {
		text, err := json.Marshal(string(data))
		if err != nil {
			return nil, err
		}
		fields["data"] = text
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	e := &pb.NewEvent{}
	return e, protojson.Unmarshal(text, e)
}
