package main

import (
	"context"
	"fmt"
)

type resumeCommand struct {
	configFlag
	pipelineArg

	Partition string `arg:"" help:"The partition, as the log names it."`
}

// Help is shown below the flags.
func (resumeCommand) Help() string {
	return `The message that halted the partition is tried again, and those behind it follow.
The exit status is 1 if the partition is not halted, and 3 if no host runs.`
}

// Run has the partition go on.
func (c *resumeCommand) Run(ctx context.Context, p *process) error {
	h, err := reachRunning(c.Config)
	if err != nil {
		return err
	}
	if err := h.Resume(ctx, c.Pipeline, c.Partition); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(p.err, "%s: partition %q goes on\n", c.Pipeline, c.Partition)
	return nil
}
