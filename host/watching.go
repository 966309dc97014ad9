package host

import (
	"context"
	"sync"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/provenance"
	"github.com/relayhost/relayhost/host/watch"
)

// watch has new content of the plugin's file go live, wherever the configuration
// has it, until ctx ends.
func (l *line) watch(ctx context.Context) {
	for ctx.Err() == nil {
		c, changed := l.rollouts.configured()
		current, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		if c.Plugin.Rollout.Watch {
			wg.Go(func() { l.watchModule(current, c) })
		}
		for _, file := range signatures(c) {
			if c.Plugin.Rollout.Watch {
				wg.Go(func() { l.watchSignature(current, c, file) })
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
		cancel()
		wg.Wait()
	}
}

func (l *line) watchModule(ctx context.Context, c config.Pipeline) {
	o := watch.Options{Poll: c.Plugin.Rollout.PollInterval, Limit: int64(c.Plugin.Limits.ModuleSize), Logger: l.rollouts.log}
	watch.File(ctx, c.Plugin.Module, l.history.Considered(), o, func(found watch.Content) {
		if found.Err != nil {
			l.rollouts.unreadable(found.Err)
			return
		}
		l.rollouts.found(ctx, c, found.Data)
	})
}

// watchSignature looks at the module again when its signature comes.
func (l *line) watchSignature(ctx context.Context, c config.Pipeline, file string) {
	o := watch.Options{Poll: c.Plugin.Rollout.PollInterval, Logger: l.rollouts.log}
	watch.File(ctx, file, "", o, func(found watch.Content) {
		if found.Err == nil {
			l.rollouts.lookAgain()
		}
	})
}

// signatures are the files that a module's signature may be in.
func signatures(c config.Pipeline) []string {
	switch {
	case len(c.Plugin.PublicKeys) == 0:
		return nil
	case c.Plugin.Signature != "":
		return []string{c.Plugin.Signature}
	}
	return []string{c.Plugin.Module + ".minisig", c.Plugin.Module + ".sig"}
}

// lookAgain proposes the file at its place, unless it is known.
func (r *rollouts) lookAgain() {
	c, _ := r.configured()
	file, signature, err := readModule(c)
	if err != nil {
		r.unreadable(err)
		return
	}
	if r.news(digestOf(file)) {
		r.suggest(&proposal{source: c.Plugin.Module, file: file, signature: signature, config: c, watched: true})
	}
}

// unreadable tells of a file that is not even one to be refused, and counts it as
// one that is.
func (r *rollouts) unreadable(err error) {
	r.log.Warn("the plugin's file cannot be read, and the live version goes on", "error", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[control.ResultRefused]++
}

// news reports whether a file at the plugin's place is another one than when it
// was looked at last: an operator may have chosen another version since.
func (r *rollouts) news(digest string) bool {
	return digest != r.deployment.Live().Digest() && digest != r.history.Considered()
}

// suggest proposes what nobody waits for.
func (r *rollouts) suggest(p *proposal) {
	_, _ = r.propose(p) // it fails with the pipeline, which tells that itself
}

// found proposes new content of the file, unless the configuration is another one
// by now.
func (r *rollouts) found(ctx context.Context, c config.Pipeline, file []byte) {
	p := &proposal{source: c.Plugin.Module, file: file, config: c, watched: true}
	if len(c.Plugin.PublicKeys) > 0 {
		// What is wrong with it is said when it is looked for in the signature.
		p.signature, _ = provenance.ReadSignature(provenance.FindSignature(c.Plugin.Module, c.Plugin.Signature))
	}
	if ctx.Err() == nil {
		r.suggest(p)
	}
}

// configured is what counts now, and a channel that is closed when it does no
// longer.
func (r *rollouts) configured() (config.Pipeline, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.config, r.changed
}

// configure has another configuration count, for all that is proposed from now on.
func (r *rollouts) configure(c config.Pipeline) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.config = c
	close(r.changed)
	r.changed = make(chan struct{})
}
