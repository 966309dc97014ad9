package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/trial"
)

// fuelField is listed beside the fields of [trial.Field].
const fuelField trial.Field = "fuel"

// compared prints the events, and the batches of the same events, that two
// plugins handle differently.
type compared struct {
	printer

	total diffSummary
}

func newCompared(p printer, tolerance percent) *compared {
	c := &compared{printer: p}
	c.total.Fields = map[trial.Field]int{}
	c.total.Fuel.Tolerance, c.total.Batches.Fuel.Tolerance = tolerance, tolerance
	return c
}

func (c *compared) events() int { return c.total.Events }

func (c *compared) add(chunk host.ReplayChunk) error {
	for i := range chunk.Messages {
		if err := c.event(chunk, i); err != nil {
			return err
		}
	}
	return c.batches(chunk.Runs[0].Batches, chunk.Runs[1].Batches)
}

// event prints what differs in a chunk's event i, if anything does.
func (c *compared) event(chunk host.ReplayChunk, i int) error {
	before, after := &chunk.Runs[0].Acks[i], &chunk.Runs[1].Acks[i]
	fields := before.Differences(after)
	c.total.count(fields)
	if len(fields) == 0 || fields[0] != trial.FieldOutcome {
		if c.total.Fuel.add(before.Fuel, after.Fuel) {
			fields = append(fields, fuelField)
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return c.print(eventDifference{
		Index: chunk.First + i, ID: before.ID, Offset: chunk.Messages[i].Position, Differs: fields,
		Old: newEventSide(chunk, i, before), New: newEventSide(chunk, i, after),
	})
}

// batches compares those of the same events. Others can only be counted.
func (c *compared) batches(before, after []*trial.Batch) error {
	byFirst := make(map[int][]*trial.Batch)
	for _, b := range after {
		byFirst[b.Events[0]] = append(byFirst[b.Events[0]], b)
	}
	t := &c.total.Batches
	t.OnlyNew += len(after)
	for _, b := range before {
		twin := takeTwin(byFirst, b)
		if twin == nil {
			t.OnlyOld++
			continue
		}
		t.OnlyNew--
		if err := c.batch(b, twin); err != nil {
			return err
		}
	}
	return nil
}

// takeTwin takes the batch of the same events out; nil if there is none.
func takeTwin(byFirst map[int][]*trial.Batch, b *trial.Batch) *trial.Batch {
	first := b.Events[0]
	for i, other := range byFirst[first] {
		if b.SameEvents(other) {
			byFirst[first] = append(byFirst[first][:i:i], byFirst[first][i+1:]...)
			return other
		}
	}
	return nil
}

func (c *compared) batch(before, after *trial.Batch) error {
	t := &c.total.Batches
	fields := before.Differences(after)
	if len(fields) == 0 {
		t.Same++
	} else {
		t.Different++
	}
	if t.Fuel.add(before.Fuel, after.Fuel) {
		fields = append(fields, fuelField)
	}
	if len(fields) == 0 {
		return nil
	}
	d := batchDifference{}
	d.Batch.Differs, d.Batch.Old, d.Batch.New = fields, summary(before), summary(after)
	return c.print(d)
}

// differences is that something but fuel differs.
type differences struct{ events, batches int }

func (d differences) Error() string {
	return fmt.Sprintf("%d events and %d batches differ", d.events, d.batches)
}

func (c *compared) sum() error {
	if err := c.print(comparedSummary{c.total}); err != nil {
		return err
	}
	if d := (differences{c.total.Different, c.total.Batches.Different}); d != (differences{}) {
		return d
	}
	return nil
}

// eventSide is an outcome with what only a comparison looks at.
type eventSide struct {
	outcome

	Flush     bool `json:"flush,omitempty"`
	Retryable bool `json:"retryable,omitempty"`
}

func newEventSide(c host.ReplayChunk, i int, a *trial.Ack) eventSide {
	return eventSide{outcome: acknowledged(c.First+i, a), Flush: a.Flush, Retryable: a.Outcome.Retryable}
}

// eventDifference is an event that two plugins handle differently. Its JSON form
// is documented in docs/replay.md.
type eventDifference struct {
	Index   int           `json:"index"`
	ID      string        `json:"id"`
	Offset  int64         `json:"offset"`
	Differs []trial.Field `json:"differs"`
	Old     eventSide     `json:"old"`
	New     eventSide     `json:"new"`
}

// String is a line about the event, and below it the fields.
func (d eventDifference) String() string {
	line := strconv.Itoa(d.Index)
	if d.Offset > 0 { // it is of a log
		line += fmt.Sprintf(" offset=%d id=%s", d.Offset, plugin.Printable(d.ID, shown))
	}
	return contrasts(line, d.Differs, d.Old, d.New)
}

// field is a field's value, for people.
func (s eventSide) field(f trial.Field) string {
	switch f {
	case trial.FieldOutcome:
		how, text := s.ended()
		return strings.TrimSpace(s.Status + " " + how + "  " + text)
	case trial.FieldReason:
		return s.Reason
	case trial.FieldRetryable:
		return strconv.FormatBool(s.Retryable)
	case trial.FieldOnFailure:
		return s.Action
	case trial.FieldAttempts:
		return strconv.Itoa(s.Attempts)
	case trial.FieldData:
		return s.payload()
	case trial.FieldOutputs:
		return outputLines(s.Outputs)
	case trial.FieldBatcher:
		return s.Batcher
	case trial.FieldBatchKey:
		return s.BatchKey
	case trial.FieldFlush:
		return strconv.FormatBool(s.Flush)
	}
	return strconv.FormatUint(s.Fuel, 10)
}

// batchDifference is a batch of the same events that two plugins handle
// differently. Its JSON form is documented in docs/replay.md.
type batchDifference struct {
	Batch struct {
		Differs []trial.Field `json:"differs"`
		Old     batchSummary  `json:"old"`
		New     batchSummary  `json:"new"`
	} `json:"batch"`
}

// String is a line about the batch, and below it the fields.
func (d batchDifference) String() string {
	return contrasts("batch "+d.Batch.Old.place(), d.Batch.Differs, d.Batch.Old, d.Batch.New)
}

func (b batchSummary) field(f trial.Field) string {
	switch f {
	case trial.FieldFailed:
		return strconv.Itoa(b.Failed)
	case trial.FieldRecords:
		return strings.Join(b.printable(), "\n")
	}
	return strconv.FormatUint(b.Fuel, 10)
}
