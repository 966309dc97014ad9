package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/eventjson"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/trial"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

type examplesCommand struct {
	File   string `arg:"" help:"The plugin's .wasm file."`
	Set    string `and:"set" placeholder:"EVENTS" help:"A file of events, as for plugin test, which become the examples; - is standard input."`
	Out    string `short:"o" and:"set" placeholder:"FILE" help:"Where the module that carries them is written; it may be the plugin's own file."`
	Config string `placeholder:"FILE" help:"The config table that the examples are run with: a TOML or JSON file, or JSON text that begins with a brace."`
}

// Help is shown below the flags.
func (examplesCommand) Help() string {
	return `A host runs a new version's own examples before it goes live, and refuses it unless
all are ok. With --set each event is run here first, and nothing is written unless
all are ok. The exit status is 1 if one is not, and 2 if a file cannot be used.`
}

// Run prints the examples, or puts others in their place.
func (c *examplesCommand) Run(ctx context.Context, p *process) error {
	module, err := plugin.ReadFile(c.File, 0)
	if err != nil {
		return unusable(err)
	}
	if c.Set != "" {
		return c.put(ctx, p, module)
	}
	text := plugin.Examples(module)
	if _, err := examplesOf(c.File, text); err != nil {
		return unusable(err)
	}
	if len(text) == 0 {
		_, _ = fmt.Fprintf(p.err, "%s carries no examples\n", c.File)
		return nil
	}
	if _, err := fmt.Fprintln(p.out, printableJSON(strings.TrimSpace(string(text)))); err != nil {
		return fmt.Errorf("print the examples: %w", err)
	}
	return nil
}

// put writes the module with other examples, if it is ok with each.
func (c *examplesCommand) put(ctx context.Context, p *process, module []byte) error {
	text, err := readAll(c.Set, p.in)
	if err != nil {
		return unusable(err)
	}
	messages, err := examplesOf(c.Set, text)
	if err != nil {
		return unusable(err)
	}
	if len(messages) == 0 {
		return unusable(fmt.Errorf("there is no event in %s", c.Set))
	}
	if err := c.rehearse(ctx, p, module, messages); err != nil {
		return err
	}
	changed, err := plugin.WithExamples(module, text)
	if err == nil {
		err = replaceFile(c.Out, changed)
	}
	if err == nil {
		_, _ = fmt.Fprintf(p.err, "%s (%s) carries %d examples\n", c.Out, shortDigest(plugin.Digest(changed)), len(messages))
	}
	return err
}

// rehearse runs examples as a host does before a version goes live.
func (c *examplesCommand) rehearse(ctx context.Context, p *process, module []byte, examples []*message.Message) (err error) {
	settings, err := c.settings(module)
	if err != nil {
		return unusable(err)
	}
	engine, err := plugin.Open(ctx, plugin.Options{CacheDir: config.DefaultCacheDir(), Logger: p.log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close(context.WithoutCancel(ctx))) }()
	loaded, err := engine.Load(ctx, c.File, module, settings)
	if _, refused := errors.AsType[*plugin.Refusal](err); refused {
		return unusable(err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loaded.Close(context.WithoutCancel(ctx))) }()
	outcomes, err := loaded.Rehearse(ctx, examples)
	if err != nil {
		return err
	}
	return failing(examples, outcomes)
}

func (c *examplesCommand) settings(module []byte) (s plugin.Settings, err error) {
	try := tryCommand{Config: c.Config}
	s.NeedBatch = handlesBatches(module)
	return s, try.change(&s)
}

// failing is an error for each example that is not ok.
func failing(examples []*message.Message, outcomes []message.Outcome) error {
	var errs []error
	for i, o := range outcomes {
		if !o.OK() {
			name := cmp.Or(plugin.Printable(examples[i].ID, nameShown), "without an id")
			errs = append(errs, fmt.Errorf("example %d, event %s: %s: %s", i+1, name, o.Kind, o.Reason))
		}
	}
	return errors.Join(errs...)
}

// examplesOf is the events of a text as messages.
func examplesOf(name string, text []byte) ([]*message.Message, error) {
	events, err := eventjson.Read[pb.Event](bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read the examples of %s: %w", name, err)
	}
	return trial.Messages(events)
}

// readAll reads a file; - is standard input.
func readAll(file string, stdin io.Reader) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(filepath.Clean(file))
}

// printableJSON is JSON with what a terminal might obey written as JSON can write
// it: that is in strings, where nothing else than text is.
func printableJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n', r == '\t', unicode.IsPrint(r):
			b.WriteRune(r)
		case r != '\r':
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	return b.String()
}
