package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// trial runs events through a slot and prints a line for each.
type trial struct {
	slot       *plugin.Slot
	out        io.Writer
	json       bool
	ok, failed int
}

// run ends early if the context does.
func (t *trial) run(ctx context.Context, events []*message.Message) error {
	defer context.AfterFunc(ctx, t.slot.Interrupt)()
	for i, m := range events {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		o := t.handle(m)
		o.Index = i
		if err := t.print(o); err != nil {
			return fmt.Errorf("print outcome: %w", err)
		}
	}
	return nil
}

func (t *trial) handle(m *message.Message) outcome {
	start := time.Now()
	patch := t.slot.HandleMessage(m)
	o := outcome{
		Status: "ok", Kind: patch.Kind.String(), Reason: patch.Reason,
		Fuel: t.slot.Spent(), Microseconds: time.Since(start).Microseconds(),
	}
	if !patch.OK() {
		t.failed++
		o.Status = "failed"
		return o
	}
	t.ok++
	m.Apply(&patch)
	o.Batcher, o.BatchKey = m.Batcher, m.BatchKey
	switch {
	case m.Data == nil:
	case utf8.Valid(m.Data):
		o.Data = new(string(m.Data))
	default:
		o.Base64 = m.Data
	}
	return o
}

func (t *trial) print(o outcome) error {
	if !t.json {
		_, err := fmt.Fprintln(t.out, o)
		return err
	}
	e := json.NewEncoder(t.out)
	e.SetEscapeHTML(false)
	return e.Encode(o)
}

// sum says what became of all, and is an error unless all are ok.
func (t *trial) sum(w io.Writer, events int) error {
	text := fmt.Sprintf("%d events: %d ok, %d failed", events, t.ok, t.failed)
	if rest := events - t.ok - t.failed; rest > 0 {
		text += fmt.Sprintf(", %d not run", rest)
	}
	if t.ok < events {
		return errors.New(text)
	}
	_, _ = fmt.Fprintln(w, text)
	return nil
}

// outcome is what became of one event. Its JSON form is documented in
// docs/plugin-commands.md.
type outcome struct {
	Index  int    `json:"index"`
	Status string `json:"status"`
	Kind   string `json:"kind"`
	Reason string `json:"reason,omitempty"`
	// Data is what the handler put in place of the event's data, if it did;
	// Base64 is set instead if that is not UTF-8.
	Data         *string `json:"data,omitempty"`
	Base64       []byte  `json:"data_base64,omitempty"`
	Batcher      string  `json:"batcher,omitempty"`
	BatchKey     string  `json:"batch_key,omitempty"`
	Fuel         uint64  `json:"fuel"`
	Microseconds int64   `json:"duration_us"`
}

// shown is how much of a text of the guest's is shown to people, in bytes.
const shown = 200

// String is the outcome as one line.
func (o outcome) String() string {
	how, text := o.Kind, o.Reason
	if o.Status == "ok" {
		how, text = o.route(), o.content()
	}
	took := time.Duration(o.Microseconds) * time.Microsecond
	line := fmt.Sprintf("%d %s %s fuel=%d %v", o.Index, o.Status, how, o.Fuel, took)
	if text != "" {
		line += "  " + text
	}
	return line
}

func (o outcome) route() string {
	route := "batcher=" + plugin.Printable(o.Batcher, shown)
	if o.BatchKey != "" {
		route += " batch_key=" + plugin.Printable(o.BatchKey, shown)
	}
	return route
}

func (o outcome) content() string {
	if o.Data == nil {
		return plugin.Printable(string(o.Base64), shown)
	}
	return plugin.Printable(*o.Data, shown)
}
