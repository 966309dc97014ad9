package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
)

// LoadPluginConfig reads a plugin's config table from a file of its own. The
// error is [Faults].
func LoadPluginConfig(file string) (json.RawMessage, error) {
	data, err := read(file)
	if err != nil {
		return nil, Faults{{File: file, Problem: "cannot be read: " + pathless(err).Error(), Err: err}}
	}
	return ParsePluginConfig(file, data)
}

// ParsePluginConfig is LoadPluginConfig for a text at hand: a JSON object if it
// begins with a brace, else TOML. The result is what Plugin.Config would be had
// the table been in relayhost.toml.
func ParsePluginConfig(file string, data []byte) (json.RawMessage, error) {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return parseJSONTable(file, data)
	}
	document, where, fault := decode(data)
	if fault != nil {
		fault.File = file
		return nil, Faults{*fault}
	}
	var table json.RawMessage
	c := &checker{file: file, dir: filepath.Dir(file)}
	freeform(&table).check(c, place{value: document, at: where})
	return table, c.err()
}

func parseJSONTable(file string, data []byte) (json.RawMessage, error) {
	if len(data) > maxFile {
		return nil, Faults{{File: file, Line: 1, Problem: errTooLarge.Error()}}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var table map[string]any
	err := d.Decode(&table)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return encode(table), nil
		}
		err = errors.New("there is more after the object")
	}
	line := 1 + bytes.Count(data[:d.InputOffset()], []byte{'\n'})
	return nil, Faults{{File: file, Line: line, Problem: "not a JSON object: " + err.Error(), Err: err}}
}
