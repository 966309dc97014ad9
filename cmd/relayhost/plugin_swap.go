package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/plugin"
)

type swapCommand struct {
	configFlag
	pipelineArg

	File      string `arg:"" help:"The new version's .wasm file."`
	Signature string `placeholder:"FILE" help:"Its detached signature; FILE.minisig or FILE.sig if one is there."`
	Wait      bool   `help:"If the pipeline tries versions first, wait for the trial's end."`
}

// pipelineArg names a pipeline.
type pipelineArg struct {
	Pipeline string `arg:"" help:"The pipeline's name."`
}

// Help is shown below the flags.
func (swapCommand) Help() string {
	return `The file goes to the host as it is now; what the configuration names stays. Each
stage is shown on standard error: verify, meter, compile, test, warm, switch,
drain. With mode canary or shadow the command ends when the trial begins, and
says how to go on. The exit status is 0 if the version is live or its trial has
begun, 1 if it was refused, rolled back or superseded, and 3 if no host runs. A
command that is interrupted does not stop the rollout. docs/admin-api.md has the
request.`
}

// Run sends the file and follows its rollout.
func (c *swapCommand) Run(ctx context.Context, p *process) error {
	m, err := c.module()
	if err != nil {
		return unusable(err)
	}
	h, err := reachRunning(c.Config)
	if err != nil {
		return err
	}
	s, err := h.Swap(ctx, c.Pipeline, m)
	if err != nil {
		return err
	}
	r := rollout{host: h, pipeline: c.Pipeline, number: s.Rollout, out: p.err, wants: control.ResultLive, throughTrial: c.Wait}
	return r.follow(ctx)
}

// nameShown is how much of a file's name is told to a host.
const nameShown = 200

// module reads what is sent.
func (c *swapCommand) module() (m control.Module, err error) {
	m.Name = plugin.Printable(filepath.Base(c.File), nameShown)
	if m.File, err = plugin.ReadFile(c.File, control.MaxModule); err != nil {
		return m, err
	}
	m.Signature, err = c.signature()
	return m, err
}

// signature is nil if there is none.
func (c *swapCommand) signature() ([]byte, error) {
	if c.Signature != "" {
		return readSignature(c.Signature)
	}
	for _, ending := range []string{".minisig", ".sig"} {
		if text, err := readSignature(c.File + ending); !errors.Is(err, fs.ErrNotExist) {
			return text, err
		}
	}
	return nil, nil
}

func readSignature(path string) ([]byte, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("read the signature: %w", err)
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, control.MaxSignature+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the signature: %w", err)
	case len(text) == 0:
		return nil, fmt.Errorf("the signature %s is empty", path)
	case len(text) > control.MaxSignature:
		return nil, fmt.Errorf("the signature %s has more than %d bytes", path, control.MaxSignature)
	}
	return text, nil
}
