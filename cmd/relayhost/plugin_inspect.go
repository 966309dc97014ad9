package main

import (
	"encoding/json"
	"io"

	"github.com/relayhost/relayhost/host/plugin"
)

type inspectCommand struct {
	File string `arg:"" help:"The plugin's .wasm file."`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

// Help is shown below the flags.
func (inspectCommand) Help() string {
	return `The module is neither run nor compiled. The exit status is 2 if it would be
refused. docs/plugin-commands.md describes the JSON.`
}

// Run prints what can be seen, also of a module that would be refused.
func (c *inspectCommand) Run(p *process) error {
	file, err := plugin.ReadFile(c.File, 0)
	if err != nil {
		return unusable(err)
	}
	found, err := plugin.Inspect(file, plugin.Settings{})
	if err != nil {
		return err
	}
	if err := c.print(p.out, found, examplesIn(file)); err != nil {
		return err
	}
	if len(found.Problems) > 0 {
		return unusable(&plugin.Refusal{Plugin: c.File, Problems: found.Problems, Hint: found.Hint})
	}
	return nil
}

// examplesIn is how many examples a module carries, nil if they cannot be read.
func examplesIn(file []byte) *int {
	examples, err := examplesOf("", plugin.Examples(file))
	if err != nil {
		return nil
	}
	return new(len(examples))
}

func (c *inspectCommand) print(w io.Writer, found *plugin.Inspection, examples *int) error {
	if c.JSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(inspected{File: c.File, Inspection: found, Examples: examples})
	}
	s := newSheet(w)
	s.file(c.File, found)
	if found.Module != nil {
		s.module(found.Module)
		s.examples(examples)
	}
	s.limits(found.Limits)
	return s.close()
}

// inspected is the JSON form.
type inspected struct {
	File string `json:"file"`
	*plugin.Inspection
	Examples *int `json:"examples,omitempty"`
}
