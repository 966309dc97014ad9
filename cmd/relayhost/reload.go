package main

import (
	"context"
	"fmt"
	"strings"
)

type reloadCommand struct {
	configFlag
}

// Help is shown below the flags.
func (reloadCommand) Help() string {
	return `Pipelines are added, removed or changed without touching the others. If the
configuration is faulty nothing changes, and the exit status is 1; it is 3 if no
host runs. The signal SIGHUP does the same.`
}

// Run prints what became of the pipelines.
func (c *reloadCommand) Run(ctx context.Context, p *process) error {
	h, err := reachRunning(c.Config)
	if err != nil {
		return err
	}
	r, err := h.Reload(ctx)
	if err != nil {
		return err
	}
	for _, part := range []struct {
		what      string
		pipelines []string
	}{{"added", r.Added}, {"removed", r.Removed}, {"changed", r.Changed}, {"unchanged", r.Unchanged}} {
		if len(part.pipelines) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(p.out, "%s: %s\n", part.what, strings.Join(part.pipelines, ", ")); err != nil {
			return err
		}
	}
	return nil
}
