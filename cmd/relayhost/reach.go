package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/journal"
)

// journaled reads a configuration as far as it is needed to find its journal:
// what else is wrong with it does not matter here.
func journaled(file string) (*config.Config, error) {
	c, err := config.Load(file)
	if c != nil && host.ControlSocket(c) != "" {
		return c, nil
	}
	if err == nil {
		err = fmt.Errorf("%s has no journal, which is where a host is asked and dead letters are\nhint: remove enabled = false under [journal]", file)
	}
	return nil, err
}

// reached is a host that answers or, if none runs, its journal.
type reached struct {
	control.Host

	config  *config.Config
	running bool
	close   func() error
}

// reach finds the host of a configuration.
func reach(file string, log *slog.Logger) (*reached, error) {
	c, err := journaled(file)
	if err != nil {
		return nil, err
	}
	client, err := control.Dial(host.ControlSocket(c))
	if err == nil {
		return &reached{client, c, true, func() error { return nil }}, nil
	}
	if !errors.Is(err, control.ErrNoHost) {
		return nil, err
	}
	offline, err := host.OpenOffline(c, log)
	if err != nil {
		return nil, unreachable(c, err)
	}
	return &reached{offline, c, false, offline.Close}, nil
}

// reachRunning finds the host of a configuration, which must run.
func reachRunning(file string) (*control.Client, error) {
	c, err := journaled(file)
	if err != nil {
		return nil, unusable(err)
	}
	client, err := control.Dial(host.ControlSocket(c))
	if errors.Is(err, control.ErrNoHost) {
		return nil, fmt.Errorf("%w with %s\nhint: -c FILE names the configuration that a host runs with", control.ErrNoHost, file)
	}
	return client, err
}

// with calls f with the host of a configuration.
func with(file string, p *process, f func(*reached) error) error {
	r, err := reach(file, p.log)
	if err != nil {
		return err
	}
	return errors.Join(f(r), r.close())
}

// unreachable says what it means that a journal cannot be opened.
func unreachable(c *config.Config, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no journal at %s: no host has run with this configuration", c.Journal.Dir)
	case errors.Is(err, journal.ErrInUse) && answers(c):
		return fmt.Errorf("the journal at %s is in use by a host that runs\n"+
			"hint: stop the host first; relayhost status and relayhost journal stats ask it", c.Journal.Dir)
	case errors.Is(err, journal.ErrInUse):
		return fmt.Errorf("the journal at %s is in use, and nobody answers at %s\n"+
			"hint: a host that begins or ends, or another command of relayhost: try again; the log of a host says why if it cannot be asked",
			c.Journal.Dir, host.ControlSocket(c))
	}
	return err
}

func answers(c *config.Config) bool {
	_, err := control.Dial(host.ControlSocket(c))
	return err == nil
}

// statusOf asks the running host, or looks into the journal if none runs.
func statusOf(ctx context.Context, c *config.Config, log *slog.Logger) (control.Status, error) {
	client, err := control.Dial(host.ControlSocket(c))
	if err == nil {
		return client.Status(ctx)
	}
	if !errors.Is(err, control.ErrNoHost) {
		return control.Status{}, err
	}
	s, damage, err := host.CheckJournal(c, log)
	switch {
	case errors.Is(err, fs.ErrNotExist): // and there is nothing in it
		return control.Status{Pipelines: []control.Pipeline{}}, nil
	case err != nil:
		return s, unreachable(c, err)
	}
	return s, damage
}
