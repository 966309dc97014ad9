package main

import (
	"context"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/plugin"
)

// configFlag names the configuration.
type configFlag struct {
	Config string `short:"c" default:"relayhost.toml" placeholder:"FILE" help:"The configuration; ${default} by default."`
}

type runCommand struct {
	configFlag
}

// Run runs the pipelines until the process is told to stop. Everything is
// drained before it returns.
func (c *runCommand) Run(ctx context.Context, p *process) error {
	loaded, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	h, err := host.New(ctx, loaded, host.Options{
		Version: version, Stdout: p.out, Logger: p.log, Compiler: plugin.Compiler,
		Load: func() (*config.Config, error) { return config.Load(c.Config) },
	})
	if err != nil && ctx.Err() != nil {
		p.log.Info("stopped before it ran")
		return nil //nolint:nilerr // what is wrong is that it was cut
	}
	if err != nil {
		return err
	}
	p.log.Info("running", "config", c.Config, "pipelines", len(loaded.Pipelines))
	defer reloadOnHangup(ctx, h)()
	err = h.Run(ctx)
	for name, b := range h.Books() {
		p.log.Info("pipeline's books", "pipeline", name,
			"received", b.Received, "settled", b.SettledTotal(), "in_flight", b.InFlight)
	}
	return err
}
