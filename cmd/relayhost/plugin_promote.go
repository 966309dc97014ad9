package main

import (
	"context"
	"strings"

	"github.com/relayhost/relayhost/host/control"
)

type promoteCommand struct {
	configFlag
	pipelineArg
}

// Help is shown below the flags.
func (promoteCommand) Help() string {
	return `The exit status is 0 if the version is live, 1 if it is not, and 3 if no host runs.`
}

// Run promotes it and waits until it is live.
func (c *promoteCommand) Run(ctx context.Context, p *process) error {
	h, err := reachRunning(c.Config)
	if err != nil {
		return err
	}
	s, err := h.Promote(ctx, c.Pipeline)
	if err != nil {
		return err
	}
	r := rollout{host: h, pipeline: c.Pipeline, number: s.Rollout, out: p.err, wants: control.ResultLive, throughTrial: true}
	return r.follow(ctx)
}

type rollbackCommand struct {
	configFlag
	pipelineArg

	Digest string `arg:"" optional:"" help:"How the version's digest begins, at least 8 digits; without one, the version before."`
}

// Help is shown below the flags.
func (rollbackCommand) Help() string {
	return `While a version is on trial, this ends the trial and the live one stays. Otherwise
it makes an earlier version live, which relayhost plugin history shows. The exit
status is 0 if that is done, 1 if it is not, and 3 if no host runs.`
}

// Run goes back and waits until that is done.
func (c *rollbackCommand) Run(ctx context.Context, p *process) error {
	h, err := reachRunning(c.Config)
	if err != nil {
		return err
	}
	before, err := h.Plugin(ctx, c.Pipeline)
	if err != nil {
		return err
	}
	s, err := h.Rollback(ctx, c.Pipeline, strings.TrimPrefix(c.Digest, "sha256:"))
	if err != nil {
		return err
	}
	r := rollout{host: h, pipeline: c.Pipeline, number: s.Rollout, out: p.err, wants: control.ResultLive, throughTrial: true}
	if before.Rollout != nil && before.Rollout.Number == s.Rollout { // it was on trial
		r.wants = control.ResultRolledBack
	}
	return r.follow(ctx)
}
