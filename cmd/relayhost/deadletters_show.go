package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/plugin"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

type showLetterCommand struct {
	configFlag

	ID   string `arg:"" help:"The dead letter's id, as a list shows it."`
	JSON bool   `name:"json" help:"Print one JSON object, as export does."`
}

// Run prints all there is of it.
func (c *showLetterCommand) Run(ctx context.Context, p *process) error {
	return with(c.Config, p, func(r *reached) error {
		d, err := r.DeadLetter(ctx, c.ID)
		if errors.Is(err, control.ErrNotFound) {
			err = fmt.Errorf("%w: %.64q", err, c.ID)
		}
		if err != nil {
			return err
		}
		if c.JSON {
			out := printer{p.out, true}
			return out.print(host.WholeLetter(d))
		}
		return showLetter(p.out, &d)
	})
}

func showLetter(w io.Writer, d *control.DeadLetter) error {
	s := newSheet(w)
	s.row("dead letter", d.ID)
	s.row("pipeline", d.Pipeline)
	s.row("event", plainText(d.EventID))
	s.row("position", decimal(d.Position))
	s.row("kind", d.Kind)
	s.row("reason", plainText(d.Reason))
	s.row("attempts", decimal(int64(d.Attempts)))
	s.row("plugin", cmp.Or(d.Plugin, "-"))
	s.row("received", timeText(d.Received))
	s.row("given up", timeText(d.Failed))
	s.row("forwarded", timeText(d.Forwarded))
	s.row("size", sizeText(d.Size))
	if d.Trace != "" {
		s.row("trace", plainLines(d.Trace)...)
	}
	s.payload(d.Event)
	return s.close()
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "no"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// plainText is text of others in one line, and plainLines in several.
func plainText(text string) string { return plugin.Printable(text, math.MaxInt) }

func plainLines(text string) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		lines[i] = plainText(strings.ReplaceAll(line, "\t", "  "))
	}
	return lines
}

// payload is an event, with its data as JSON if it is.
func (s *sheet) payload(event []byte) {
	var e pb.Event
	if err := proto.Unmarshal(event, &e); err != nil {
		s.row("bytes", plainText(string(event)))
		return
	}
	data := e.Data
	e.Data = ""
	fields, _ := proto.Marshal(&e) // it was read
	s.row("fields", jsonLines(host.EventJSON(fields))...)
	s.row("data", jsonLines([]byte(data))...)
}

// jsonLines is JSON with a line for each value, or any other text.
func jsonLines(text []byte) []string {
	var lines bytes.Buffer
	if json.Indent(&lines, text, "", "  ") != nil {
		return plainLines(string(text))
	}
	return plainLines(lines.String())
}
