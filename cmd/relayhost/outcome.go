package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/relayhost/relayhost/host/plugin"
)

// printer prints lines, as text or as JSON.
type printer struct {
	out  io.Writer
	json bool
}

func (p printer) print(line any) (err error) {
	if p.json {
		e := json.NewEncoder(p.out)
		e.SetEscapeHTML(false)
		err = e.Encode(line)
	} else {
		_, err = fmt.Fprintln(p.out, line)
	}
	if err != nil {
		return fmt.Errorf("print outcome: %w", err)
	}
	return nil
}

// outcome is what became of one event. Its JSON form is documented in
// docs/plugin-commands.md.
type outcome struct {
	Index int `json:"index"`
	// Of a replay only.
	ID     string `json:"id,omitempty"`
	Offset int64  `json:"offset,omitempty"`

	Status string `json:"status"`
	Kind   string `json:"kind"`
	Reason string `json:"reason,omitempty"`
	// Data is what the handler put in place of the event's data, if it did;
	// Base64 is set instead if that is not UTF-8.
	Data     *string `json:"data,omitempty"`
	Base64   []byte  `json:"data_base64,omitempty"`
	Batcher  string  `json:"batcher,omitempty"`
	BatchKey string  `json:"batch_key,omitempty"`
	// Of the whole pipeline only.
	Outputs  []output `json:"outputs,omitempty"`
	Action   string   `json:"on_failure,omitempty"`
	Attempts int      `json:"attempts,omitempty"`

	Fuel         uint64 `json:"fuel"`
	Microseconds int64  `json:"duration_us"`
}

// output is one of several messages that an event went on as.
type output struct {
	Data     *string `json:"data,omitempty"`
	Base64   []byte  `json:"data_base64,omitempty"`
	Batcher  string  `json:"batcher,omitempty"`
	BatchKey string  `json:"batch_key,omitempty"`
}

// text is bytes in the form that JSON has for them.
func text(b []byte) (valid *string, other []byte) {
	switch {
	case b == nil:
		return nil, nil
	case utf8.Valid(b):
		return new(string(b)), nil
	}
	return nil, b
}

// shown is how much of a text of the guest's is shown to people, in bytes.
const shown = 200

// String is the outcome as one line.
func (o outcome) String() string {
	how, text := o.ended()
	took := time.Duration(o.Microseconds) * time.Microsecond
	line := fmt.Sprintf("%d %s %s%s fuel=%d %v", o.Index, o.Status, how, o.further(), o.Fuel, took)
	if text != "" {
		line += "  " + text
	}
	return line
}

// ended is how it ended, and with what.
func (o outcome) ended() (how, text string) {
	if o.Status == "ok" {
		return o.route(), o.content()
	}
	return o.Kind, o.Reason
}

// further is what only a replay or the whole pipeline has to say.
func (o outcome) further() (s string) {
	if o.ID != "" {
		s += fmt.Sprintf(" offset=%d id=%s", o.Offset, plugin.Printable(o.ID, shown))
	}
	if o.Action != "" {
		s += " on_failure=" + o.Action
	}
	if o.Attempts > 0 {
		s += fmt.Sprintf(" attempts=%d", o.Attempts)
	}
	if n := len(o.Outputs); n > 0 {
		s += fmt.Sprintf(" outputs=%d", n)
	}
	return s
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
