package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
)

type checkCommand struct {
	configFlag
}

// Run prints every fault and warning, and fails if there is a fault.
func (c *checkCommand) Run(ctx context.Context, p *process) error {
	loaded, err := config.Load(c.Config)
	if loaded == nil {
		return err
	}
	warnings, found := host.Check(ctx, loaded, host.Options{Logger: p.log})
	for _, w := range warnings {
		_, _ = fmt.Fprintf(p.err, "relayhost: warning: %v\n", w)
	}
	if err := errors.Join(err, found); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(p.err, "%s is fine: %d pipelines\n", c.Config, len(loaded.Pipelines))
	return nil
}
