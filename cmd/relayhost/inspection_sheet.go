package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/relayhost/relayhost/host/plugin"
)

// sheet prints two columns: what a thing is called and what it is.
type sheet struct {
	tabs *tabwriter.Writer
	err  error
}

func newSheet(w io.Writer) *sheet { return &sheet{tabs: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

// row is one thing; it may have several lines.
func (s *sheet) row(name string, lines ...string) {
	for _, line := range lines {
		_, err := fmt.Fprintf(s.tabs, "%s\t%s\n", name, line)
		s.err = errors.Join(s.err, err)
		name = ""
	}
}

func (s *sheet) close() error { return errors.Join(s.err, s.tabs.Flush()) }

func (s *sheet) file(name string, found *plugin.Inspection) {
	s.row("file", name)
	s.row("verdict", verdict(found))
	s.row("digest", found.Digest)
	s.row("size", sizeText(found.Bytes))
}

func verdict(found *plugin.Inspection) string {
	switch n := len(found.Problems); {
	case n == 1:
		return "refused: 1 problem"
	case n > 1:
		return fmt.Sprintf("refused: %d problems", n)
	}
	return fmt.Sprintf("a plugin for version %d of the ABI", found.Module.ABI)
}

func (s *sheet) module(m *plugin.Content) {
	for _, p := range m.Producers {
		s.row(p.Field, strings.TrimSpace(p.Name+" "+p.Version))
	}
	s.row("handlers", cmp.Or(strings.Join(m.Handlers, ", "), "none"))
	s.row("imports", rows(m.Imports, externText)...)
	s.row("other exports", rows(m.Exports, externText)...)
	s.row("memory", rows(m.Memories, memoryText)...)
	s.row("tables", rows(m.Tables, tableText)...)
	s.row("functions", fmt.Sprintf("%d, %s of code, the largest %s", m.Functions, sizeText(m.Code), sizeText(m.LargestFunction)))
	s.row("data", sizeText(m.Data))
	s.row("globals", strconv.Itoa(m.Globals))
	s.row("custom sections", rows(m.Sections, sectionText)...)
}

// examples is how many there are, nil if that cannot be told.
func (s *sheet) examples(n *int) {
	switch {
	case n == nil:
		s.row("examples", "they cannot be read")
	case *n == 0:
		s.row("examples", "none")
	default:
		s.row("examples", strconv.Itoa(*n))
	}
}

func (s *sheet) limits(limits []plugin.LimitValue) {
	lines := make([]string, len(limits))
	for i, l := range limits {
		lines[i] = l.Name + "\t" + limitText(l)
	}
	s.row("limits", lines...)
}

// rows is a line for each item, and one for those that are not listed.
func rows[T any](l plugin.Listed[T], text func(T) string) []string {
	if l.Total == 0 {
		return []string{"none"}
	}
	lines := make([]string, len(l.Items), len(l.Items)+1)
	for i, item := range l.Items {
		lines[i] = text(item)
	}
	if more := l.Total - len(l.Items); more > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more", more))
	}
	return lines
}

func externText(e plugin.Extern) string {
	name := e.Name
	if e.Module != "" {
		name = e.Module + "." + name
	}
	return name + " " + cmp.Or(e.Type, e.Kind)
}

func memoryText(m plugin.MemorySize) string {
	text := sizeText(m.MinBytes)
	if m.MaxBytes != nil {
		text += ", at most " + sizeText(*m.MaxBytes)
	}
	return text
}

func tableText(t plugin.TableSize) string {
	text := fmt.Sprintf("%d of %s", t.Min, t.Type)
	if t.Max != nil {
		text += fmt.Sprintf(", at most %d", *t.Max)
	}
	return text
}

func sectionText(s plugin.Section) string { return s.Name + ", " + sizeText(s.Bytes) }

func limitText(l plugin.LimitValue) string {
	switch l.Unit {
	case "us":
		return (time.Duration(l.Value) * time.Microsecond).String() //nolint:gosec // it was a duration
	case "bytes":
		return sizeText(l.Value)
	case "bytes/s":
		return sizeText(l.Value) + "/s"
	case "count":
		return strconv.FormatUint(l.Value, 10)
	}
	return fmt.Sprintf("%d %s", l.Value, l.Unit)
}

// sizeText is a number of bytes for people.
func sizeText[N int | uint64](bytes N) string {
	const units = "KMGTPE"
	if bytes < 1024 {
		return fmt.Sprintf("%d B", bytes)
	}
	size, unit := float64(bytes)/1024, 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", size, units[unit])
}
