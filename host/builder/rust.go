package builder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
)

// rust builds a crate whose crate-type has cdylib. The errors are cargo's own; of
// a target that is not installed they say how to get it.
var rust = &Builder{
	Language: "Rust",
	marks:    []string{"Cargo.toml"},
	sources:  []string{"*.rs", "Cargo.toml", "Cargo.lock"},
	tool:     "cargo",
	install:  "install Rust, see rust-lang.org/tools/install, and its target by `rustup target add wasm32-unknown-unknown`",
	args: func(string) []string {
		return []string{"build", "--release", "--target", "wasm32-unknown-unknown", "--message-format", "json-render-diagnostics"}
	},
	module: func(_ string, stdout []byte) (string, error) { return artifact(stdout) },
}

// artifact is the module among what cargo says it has made: where that is
// depends on the workspace and on cargo's configuration.
func artifact(stdout []byte) (string, error) {
	var modules []string
	for line := range bytes.Lines(stdout) {
		var made struct {
			Reason    string   `json:"reason"`
			Filenames []string `json:"filenames"`
		}
		if json.Unmarshal(line, &made) != nil || made.Reason != "compiler-artifact" {
			continue // what the crate prints may be anything
		}
		for _, name := range made.Filenames {
			if filepath.Ext(name) == ".wasm" {
				modules = append(modules, name)
			}
		}
	}
	switch len(modules) {
	case 0:
		return "", errors.New("cargo made no .wasm file\nhint: a plugin is a library: have crate-type = [\"cdylib\"] in [lib] of Cargo.toml")
	case 1:
		return modules[0], nil
	}
	return "", fmt.Errorf("cargo made %d .wasm files, and a plugin is one: %q\nhint: name the folder of the crate, not of the workspace", len(modules), modules)
}
