package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/relayhost/relayhost/host/trial"
)

// diffSummary is how far two plugins differ. Its JSON form is documented in
// docs/replay.md.
type diffSummary struct {
	Events    int                 `json:"events"`
	Same      int                 `json:"same"`
	Different int                 `json:"different"`
	Fields    map[trial.Field]int `json:"fields"`
	Fuel      fuelRatio           `json:"fuel"`
	Batches   struct {
		Same      int       `json:"same"`
		Different int       `json:"different"`
		OnlyOld   int       `json:"only_old"`
		OnlyNew   int       `json:"only_new"`
		Fuel      fuelRatio `json:"fuel"`
	} `json:"batches"`
}

// count counts an event, in which these fields differ.
func (s *diffSummary) count(fields []trial.Field) {
	s.Events++
	for _, f := range fields {
		s.Fields[f]++
	}
	if len(fields) == 0 {
		s.Same++
	} else {
		s.Different++
	}
}

// fuelRatio is how many times as much fuel the new plugin uses, over many calls.
// The ratios are 0 as long as there is no call.
type fuelRatio struct {
	Calls     int     `json:"calls"`
	Geomean   float64 `json:"geomean"`
	Min       float64 `json:"min"`
	Max       float64 `json:"max"`
	Beyond    int     `json:"beyond"` // the tolerance
	Tolerance percent `json:"-"`

	logs float64 // the sum of the ratios' logarithms
}

// add reports whether the two differ by more than the tolerance. Of what used no
// fuel, as far as is known, nothing can be said.
func (r *fuelRatio) add(before, after uint64) (beyond bool) {
	if before == 0 || after == 0 {
		return false
	}
	old, now := float64(before), float64(after)
	ratio := now / old
	if r.Calls++; r.Calls == 1 {
		r.Min, r.Max = ratio, ratio
	}
	r.Min, r.Max = min(r.Min, ratio), max(r.Max, ratio)
	r.logs += math.Log(ratio)
	r.Geomean = math.Exp(r.logs / float64(r.Calls))
	if beyond = math.Abs(now-old) > float64(r.Tolerance)*old; beyond {
		r.Beyond++
	}
	return beyond
}

// String says it in one line.
func (r fuelRatio) String() string {
	return fmt.Sprintf("×%.3f in the geometric mean, from ×%.3f to ×%.3f; %d of %d differ by more than %v",
		r.Geomean, r.Min, r.Max, r.Beyond, r.Calls, r.Tolerance)
}

type comparedSummary struct {
	Summary diffSummary `json:"summary"`
}

// String is the summary in a few lines: only what there is.
func (s comparedSummary) String() string {
	t := &s.Summary
	line := fmt.Sprintf("%d events: %d same, %d different", t.Events, t.Same, t.Different)
	var fields []string
	for _, f := range trial.Fields() {
		if n := t.Fields[f]; n > 0 {
			fields = append(fields, fmt.Sprintf("%s %d", f, n))
		}
	}
	if len(fields) > 0 {
		line += " (" + strings.Join(fields, ", ") + ")"
	}
	lines := []string{line}
	if t.Fuel.Calls > 0 {
		lines = append(lines, "fuel of handle_message: "+t.Fuel.String())
	}
	return strings.Join(append(lines, t.batches()...), "\n")
}

func (s *diffSummary) batches() (lines []string) {
	b := &s.Batches
	if b.Same+b.Different+b.OnlyOld+b.OnlyNew == 0 {
		return nil
	}
	line := fmt.Sprintf("batches of the same events: %d same, %d different", b.Same, b.Different)
	if b.OnlyOld+b.OnlyNew > 0 {
		line += fmt.Sprintf("; of other events, not compared: %d old, %d new", b.OnlyOld, b.OnlyNew)
	}
	lines = append(lines, line)
	if b.Fuel.Calls > 0 {
		lines = append(lines, "fuel of handle_batch: "+b.Fuel.String())
	}
	return lines
}
