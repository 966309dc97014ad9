package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/trial"
)

// replayed prints what became of each event, as plugin test does.
type replayed struct {
	printer

	start time.Time
	total replaySummary
}

func newReplayed(p printer) *replayed {
	return &replayed{printer: p, start: time.Now(), total: replaySummary{Kinds: map[string]int{}}}
}

// replaySummary is what became of all events. Its JSON form is documented in
// docs/replay.md.
type replaySummary struct {
	Events       int            `json:"events"`
	OK           int            `json:"ok"`
	Failed       int            `json:"failed"`
	Unsettled    int            `json:"unsettled"`
	Kinds        map[string]int `json:"kinds"`
	Batches      int            `json:"batches"`
	Fuel         uint64         `json:"fuel"`
	Microseconds int64          `json:"duration_us"`
}

func (r *replayed) events() int { return r.total.Events }

func (r *replayed) add(c host.ReplayChunk) error {
	for i, run := 0, c.Runs[0]; i < len(run.Acks); i++ {
		o := replayedOutcome(c, i, &run.Acks[i])
		r.count(o)
		if err := r.print(o); err != nil {
			return err
		}
	}
	for _, b := range c.Runs[0].Batches {
		r.total.Batches++
		r.total.Fuel += b.Fuel
		if err := r.print(handledBatch{summary(b)}); err != nil {
			return err
		}
	}
	return nil
}

// replayedOutcome is what became of a chunk's event i.
func replayedOutcome(c host.ReplayChunk, i int, a *trial.Ack) outcome {
	o := acknowledged(c.First+i, a)
	o.ID, o.Offset = c.Messages[i].ID, c.Messages[i].Position
	return o
}

func (r *replayed) count(o outcome) {
	t := &r.total
	t.Events++
	t.Kinds[o.Kind]++
	t.Fuel += o.Fuel
	switch o.Status {
	case "ok":
		t.OK++
	case "failed":
		t.Failed++
	default:
		t.Unsettled++
	}
}

func (r *replayed) sum() error {
	r.total.Microseconds = time.Since(r.start).Microseconds()
	return r.print(replayedSummary{r.total})
}

type replayedSummary struct {
	Summary replaySummary `json:"summary"`
}

// String is the summary as one line.
func (s replayedSummary) String() string {
	t := s.Summary
	line := fmt.Sprintf("%d events: %d ok, %d failed", t.Events, t.OK, t.Failed)
	if t.Unsettled > 0 {
		line += fmt.Sprintf(", %d unsettled", t.Unsettled)
	}
	var kinds []string
	for _, k := range slices.Sorted(maps.Keys(t.Kinds)) {
		if k != message.OK.String() {
			kinds = append(kinds, fmt.Sprintf("%d %s", t.Kinds[k], k))
		}
	}
	if len(kinds) > 0 {
		line += " (" + strings.Join(kinds, ", ") + ")"
	}
	took := time.Duration(t.Microseconds) * time.Microsecond
	return fmt.Sprintf("%s; %d batches; fuel=%d %v", line, t.Batches, t.Fuel, took.Round(time.Millisecond))
}
