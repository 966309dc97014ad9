package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/plugin"
)

// runHost runs the host of a configuration with the module of one pipeline replaced
// by a file in a folder of ours. What is built goes there, and the host swaps it
// in as it does with any plugin's file that changes.
func (c *devCommand) runHost(ctx context.Context, p *process, source devSource) (err error) {
	if c.Config != "" || len(c.Batcher) > 0 {
		return unusable(errors.New("the config table and the batchers are those of -c: leave --config and --batcher away, or give --event"))
	}
	dir, err := os.MkdirTemp("", "relayhost-dev-")
	if err != nil {
		return fmt.Errorf("make a folder for what is built: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	module := filepath.Join(dir, "plugin.wasm")
	loaded, err := c.load(module)
	if err != nil {
		return unusable(err)
	}

	ctx, stop := context.WithCancel(ctx)
	fresh, watched := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(watched)
		source.watch(ctx, p.log, func(build buildFunc) { c.put(ctx, p, build, module, fresh) })
	}()
	defer func() { stop(); <-watched }()
	return runOnce(ctx, p, loaded, fresh)
}

// load is the configuration with the pipeline's module replaced.
func (c *devCommand) load(module string) (*config.Config, error) {
	loaded, err := config.Load(c.HostConfig)
	if err != nil {
		return nil, err
	}
	chosen, err := choose(loaded, c.HostConfig, c.Pipeline)
	if err != nil {
		return nil, err
	}
	for i := range loaded.Pipelines {
		if loaded.Pipelines[i].Name == chosen.Name {
			build := &loaded.Pipelines[i].Plugin
			build.Module = module
			// What is built here nobody has pinned or signed, and it is to be seen
			// at once.
			build.SHA256, build.PublicKeys = "", nil
			build.Rollout.Mode, build.Rollout.Watch = "immediate", true
		}
	}
	loaded.Versions.Dir = filepath.Join(filepath.Dir(module), "versions")
	return loaded, nil
}

// put builds, and puts the module where the host looks for it.
func (c *devCommand) put(ctx context.Context, p *process, build buildFunc, file string, fresh chan<- struct{}) {
	module, err := built(ctx, p, c.Path, build)
	if err == nil {
		err = replaceFile(file, module)
	}
	if err != nil {
		if ctx.Err() == nil {
			fail(*p, err)
		}
		return
	}
	select {
	case fresh <- struct{}{}:
	default:
	}
}

// replaceFile never lets a reader see half of the file.
func replaceFile(file string, data []byte) error {
	part := file + ".part"
	if err := os.WriteFile(part, data, 0o600); err != nil {
		return fmt.Errorf("write the module: %w", err)
	}
	if err := os.Rename(part, file); err != nil {
		return fmt.Errorf("write the module: %w", err)
	}
	return nil
}

// runOnce runs the host as soon as there is a build that it takes.
func runOnce(ctx context.Context, p *process, loaded *config.Config, fresh <-chan struct{}) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-fresh:
		}
		// Without a Compiler: who develops wants the build at once, with all processors.
		h, err := host.New(ctx, loaded, host.Options{Version: version, Stdout: p.out, Logger: p.log})
		if _, refused := errors.AsType[*plugin.Refusal](err); refused {
			fail(*p, err)
			continue
		}
		if err != nil && ctx.Err() != nil {
			return nil //nolint:nilerr // what is wrong is that it was cut
		}
		if err != nil {
			return err
		}
		return h.Run(ctx)
	}
}
