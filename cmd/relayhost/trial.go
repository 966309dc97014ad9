package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// tryout runs events through a slot and prints a line for each.
type tryout struct {
	printer

	slot       *plugin.Slot
	ok, failed int
}

// run ends early if the context does.
func (t *tryout) run(ctx context.Context, events []*message.Message) error {
	defer context.AfterFunc(ctx, t.slot.Interrupt)()
	for i, m := range events {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		o := t.handle(m)
		o.Index = i
		if err := t.print(o); err != nil {
			return err
		}
	}
	return nil
}

func (t *tryout) handle(m *message.Message) outcome {
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
	o.Data, o.Base64 = text(m.Data)
	return o
}

// sum says what became of all, and is an error unless all are ok.
func (t *tryout) sum(w io.Writer, events int) error {
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
