// Package builder builds a plugin from its source: [Find] says which language a
// folder is in, [Builder.Build] runs that language's own tool, and
// [Builder.Source] says of which files a change matters.
//
// The table has Go and Rust. Both are tested, Rust where cargo and its target
// wasm32-unknown-unknown are installed. Whatever else makes a .wasm file needs no
// builder here.
package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Builder builds plugins of one language.
type Builder struct {
	// Language is its name.
	Language string

	marks   []string // patterns of files of which one is in each folder of the language
	sources []string // patterns of the names of files that matter
	tool    string   // what must be installed
	install string   // where to get it
	args    func(out string) []string
	env     []string
	module  func(out string, stdout []byte) (string, error) // where the tool has put it
}

// table has the languages in the order in which a folder is tried.
var table = []*Builder{golang, rust}

// Languages lists what can be built.
func Languages() (names []string) {
	for _, b := range table {
		names = append(names, b.Language)
	}
	return names
}

// Find returns the builder for a folder of source.
func Find(dir string) (*Builder, error) {
	if _, err := os.ReadDir(dir); err != nil {
		return nil, fmt.Errorf("find the plugin's source: %w", err)
	}
	var wanted []string
	for _, b := range table {
		for _, mark := range b.marks {
			if found, _ := filepath.Glob(filepath.Join(escaped(dir), mark)); len(found) > 0 {
				return b, nil
			}
		}
		wanted = append(wanted, strings.Join(b.marks, " or ")+" for "+b.Language)
	}
	return nil, fmt.Errorf("there is no source of a plugin in %s: looked for %s\n"+
		"hint: name the folder of the source; what has been built by another tool can be named as a .wasm file",
		dir, strings.Join(wanted, ", "))
}

// escaped is a path as a pattern that matches it alone.
func escaped(path string) string {
	if os.PathSeparator == '\\' {
		return path // cannot be escaped, and hardly ever needs to be
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// skipped are the folders without sources.
var skipped = []string{"target", "node_modules", "vendor", "testdata"}

// Source reports whether a change of what is at a path below the plugin's folder,
// which has slashes, matters to what is built; of a folder, whether anything in
// it may.
func (b *Builder) Source(below string, dir bool) bool {
	name := path.Base(below)
	if dir {
		return !strings.HasPrefix(name, ".") && !slices.Contains(skipped, name)
	}
	return slices.ContainsFunc(b.sources, func(pattern string) bool {
		match, _ := path.Match(pattern, name)
		return match && !strings.HasPrefix(name, ".")
	})
}

// Limits of a build.
const (
	maxModule = 256 << 20
	maxOutput = 16 << 10        // of what it says to people
	maxAnswer = 16 << 20        // of what it says to us
	patience  = 5 * time.Second // for a tool to end that is told to
)

// Build builds what is in a folder and returns the module. The error is a
// [*Failure] if the tool has found fault with the source.
func (b *Builder) Build(ctx context.Context, dir string) (module []byte, err error) {
	if _, err := exec.LookPath(b.tool); err != nil {
		return nil, fmt.Errorf("a %s plugin is built by %s, which is not installed\nhint: %s", b.Language, b.tool, b.install)
	}
	temp, err := os.MkdirTemp("", "relayhost-build-")
	if err != nil {
		return nil, fmt.Errorf("make a folder to build in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	out := filepath.Join(temp, "plugin.wasm")
	stdout, err := b.run(ctx, dir, out)
	if err != nil {
		return nil, err
	}
	file, err := b.module(out, stdout)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", dir, err)
	}
	return read(file)
}

// run runs the tool. Told to end, it is interrupted first, so that it can tidy up.
func (b *Builder) run(ctx context.Context, dir, out string) (stdout []byte, err error) {
	cmd := exec.CommandContext(ctx, b.tool, b.args(out)...) //nolint:gosec // of the table
	cmd.Dir, cmd.Env = dir, append(os.Environ(), b.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = patience
	said, answer := &bounded{limit: maxOutput}, &bounded{limit: maxAnswer}
	cmd.Stdout, cmd.Stderr = answer, said
	switch err := cmd.Run(); {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("build %s: %w", dir, context.Cause(ctx))
	case err != nil:
		return nil, &Failure{Dir: dir, Command: b.tool + " " + b.args("plugin.wasm")[0], Err: err, Output: said.String()}
	}
	return answer.data, nil
}

func read(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read what was built: %w", err)
	}
	if info.Size() > maxModule {
		return nil, fmt.Errorf("what was built has %d bytes, and %d are the most", info.Size(), maxModule)
	}
	module, err := os.ReadFile(file) //nolint:gosec // the tool's
	if err != nil {
		return nil, fmt.Errorf("read what was built: %w", err)
	}
	return module, nil
}
