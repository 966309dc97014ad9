package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"text/tabwriter"
	"time"
)

// results are what a run has measured. Their JSON form is results.json.
type results struct {
	At     time.Time `json:"at"`
	System string    `json:"system"`
	Go     string    `json:"go"`
	CPUs   int       `json:"cpus"`
	Rows   []row     `json:"rows"`
	Sides  []result  `json:"sides"`
	Curves []curve   `json:"curves"`
}

// result is what one side of the calls took for a message, in ns.
type result struct {
	Name        string  `json:"name"`
	Median      float64 `json:"median_ns"`
	Min         float64 `json:"min_ns"`
	Allocations float64 `json:"allocations"`
}

// row compares one figure with another, and with what it is to be.
type row struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Ours  float64 `json:"ours"`
	Other float64 `json:"other,omitempty"` // 0 for none
	// Ratio is that of paired turns where there are such, in the direction that the
	// bar is about.
	Ratio float64 `json:"ratio,omitempty"`
	Bar   bar     `json:"bar"`
	Met   bool    `json:"met"`
	Note  string  `json:"note,omitempty"`
}

// bar is what a figure is to be: the ratio, if it is Of that, or our own.
type bar struct {
	Number  int     `json:"number,omitempty"` // of the issue; 0: nothing is asked
	OfRatio bool    `json:"of_ratio,omitempty"`
	AtMost  float64 `json:"at_most,omitempty"`
	AtLeast float64 `json:"at_least,omitempty"`
}

// curve is how a figure grows with another.
type curve struct {
	Name   string  `json:"name"`
	Title  string  `json:"title"`
	X      string  `json:"x"`
	Y      string  `json:"y"`
	Points []point `json:"points"`
}

type point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

func (r *results) start() {
	r.At, r.System, r.Go, r.CPUs = time.Now().UTC().Truncate(time.Second), runtime.GOOS+"/"+runtime.GOARCH, runtime.Version(), runtime.NumCPU()
}

func (r *results) add(one row) {
	value := one.Ours
	if one.Bar.OfRatio {
		value = one.Ratio
	}
	one.Met = (one.Bar.AtMost == 0 || value <= one.Bar.AtMost) && value >= one.Bar.AtLeast
	r.Rows = append(r.Rows, one)
}

// table prints the rows.
func (r *results) table(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "bar\tname\tunit\tours\tother\tratio\twanted\tmet\tnote")
	for _, one := range r.Rows {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", blank(float64(one.Bar.Number)), one.Name, one.Unit,
			number(one.Ours), blank(one.Other), blank(one.Ratio), one.Bar, one.verdict(), one.Note)
	}
	return table.Flush()
}

func (b bar) String() string {
	of := ""
	if b.OfRatio {
		of = " ×"
	}
	switch {
	case b.AtMost > 0:
		return "≤ " + number(b.AtMost) + of
	case b.AtLeast > 0:
		return "≥ " + number(b.AtLeast) + of
	}
	return "-"
}

func (r *row) verdict() string {
	switch {
	case r.Bar.Number == 0:
		return "-"
	case r.Met:
		return "yes"
	}
	return "no"
}

func blank(f float64) string {
	if f == 0 {
		return "-"
	}
	return number(f)
}

// number has as many digits as a figure is worth.
func number(f float64) string {
	if f >= 100 {
		return thousands(strconv.FormatFloat(f, 'f', 0, 64))
	}
	return strconv.FormatFloat(f, 'g', 3, 64)
}

func thousands(digits string) string {
	const group = 3
	for i := len(digits) - group; i > 0; i -= group {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// read reads a results.json.
func (r *results) read(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, r)
}

// write writes results.json, results.md and the plots.
func (r *results) write(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "results.json"), append(text, '\n'), 0o600)
	}
	err = errors.Join(err, os.WriteFile(filepath.Join(dir, "results.md"), r.markdown(), 0o600))
	for _, c := range r.Curves {
		err = errors.Join(err, c.plot(dir))
	}
	return errors.Join(err, r.plotCalls(dir))
}

// markdown is the results for people.
func (r *results) markdown() []byte {
	var text bytes.Buffer
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&text, format+"\n", args...) }
	line("# Results\n\nWritten by `make bench` at %s on %s with %d processors, %s.\n", r.At.Format(time.DateTime), r.System, r.CPUs, r.Go)
	line("| bar | what | unit | ours | other | ratio | wanted | met | note |\n|---|---|---|---|---|---|---|---|---|")
	for _, one := range r.Rows {
		line("| %s | %s | %s | %s | %s | %s | %s | %s | %s |", blank(float64(one.Bar.Number)), one.Name, one.Unit,
			number(one.Ours), blank(one.Other), blank(one.Ratio), one.Bar, one.verdict(), one.Note)
	}
	line("\n## A message's call\n\n![](calls.svg)\n\n| side | ns, median | ns, least | allocations |\n|---|---|---|---|")
	for _, s := range r.Sides {
		line("| %s | %s | %s | %s |", s.Name, number(s.Median), number(s.Min), number(s.Allocations))
	}
	for _, c := range r.Curves {
		line("\n## %s\n\n![](%s.svg)\n\n| %s | %s |\n|---|---|", c.Title, c.Name, c.X, c.Y)
		for _, p := range c.thin() {
			line("| %s | %s |", number(p.X), number(p.Y))
		}
	}
	return text.Bytes()
}

// thin is about ten of a curve's points, the first among them.
func (c curve) thin() (points []point) {
	const wanted = 10
	step := max(1, len(c.Points)/wanted)
	for i := 0; i < len(c.Points); i += step {
		points = append(points, c.Points[i])
	}
	return points
}
