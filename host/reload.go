package host

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/control"
)

// change is what a new configuration means for a running host.
type change struct {
	added     []*line         // prepared
	removed   []*line         // that run
	replaced  map[*line]*line // that run, and prepared
	versions  map[*line]*proposal
	unchanged []*line
}

// Reload reads the configuration again, and has the pipelines that are new, gone
// or otherwise begin, end or change; what is the same goes on undisturbed, but for
// a look at its plugin's file. If anything is wrong with the configuration, or
// with the plugin of a pipeline that it changes, nothing changes.
func (h *Host) Reload(ctx context.Context) (control.Reloaded, error) {
	h.reloading.Lock()
	defer h.reloading.Unlock()
	if !h.enter() {
		return control.Reloaded{}, control.Refuse("the host does not run")
	}
	defer h.leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.ctx, cancel)()
	if h.workshop.options.Load == nil {
		return control.Reloaded{}, control.Refuse("the host was not given a configuration that can be read again")
	}
	c, err := h.workshop.options.Load()
	if err == nil {
		err = fixed(h.config, c)
	}
	if err != nil {
		h.log.Error("the configuration is not reloaded, and nothing has changed", "error", err)
		return control.Reloaded{}, control.Refuse("the configuration is faulty, and nothing has changed:\n%v", err)
	}
	changes, err := h.compare(ctx, c)
	if err != nil {
		h.log.Error("the configuration is not reloaded, and nothing has changed", "error", err)
		return control.Reloaded{}, control.Refuse("nothing has changed:\n%v", err)
	}
	h.config = c
	err = h.apply(changes, c)
	told := changes.told()
	h.log.Info("configuration reloaded", "added", told.Added, "removed", told.Removed, "changed", told.Changed, "unchanged", len(told.Unchanged))
	if err != nil {
		return told, control.Refuse("the configuration is reloaded, but not every pipeline can be run:\n%v\nhint: put that right, and reload once more", err)
	}
	return told, nil
}

// compare finds what is different, and prepares all of it. With an error nothing
// is left of that.
func (h *Host) compare(ctx context.Context, c *config.Config) (*change, error) {
	d := &change{replaced: map[*line]*line{}, versions: map[*line]*proposal{}}
	var errs []error
	w := h.workshop
	w.background = true
	prepare := func(p config.Pipeline) *line {
		l, err := w.prepare(ctx, p)
		if err != nil {
			errs = append(errs, errors.Join(about(p.Name, err), l.close(ctx)))
			return nil
		}
		return l
	}
	for _, p := range c.Pipelines {
		switch l := h.line(p.Name); {
		case l == nil:
			d.added = append(d.added, prepare(p))
		case !l.runs(), !alike(l.config, p):
			d.replaced[l] = prepare(p)
		default:
			if err := d.compareVersion(ctx, l, p); err != nil {
				errs = append(errs, about(p.Name, err))
			}
		}
	}
	for _, l := range h.all() {
		if !slices.ContainsFunc(c.Pipelines, func(p config.Pipeline) bool { return p.Name == l.name }) {
			d.removed = append(d.removed, l)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(append(errs, d.discard(ctx))...)
	}
	return d, nil
}

// compareVersion builds another version for a line of which nothing else is
// different, if its settings are.
func (d *change) compareVersion(ctx context.Context, l *line, p config.Pipeline) error {
	old, _ := l.rollouts.configured()
	if reflect.DeepEqual(old.Plugin, p.Plugin) {
		d.unchanged = append(d.unchanged, l)
		return nil
	}
	next, err := l.wanted(p)
	if err != nil {
		return err
	}
	if !l.rollouts.isLive(next) {
		if next.loaded, err = l.rollouts.build(ctx, next, func(string) {}); err != nil {
			return fmt.Errorf("plugin %s: %w", next.source, err)
		}
	}
	d.versions[l] = next
	return nil
}

// wanted is the version that other settings are for: the file at its place or, if
// that was known when another one was chosen, the one that is live.
func (l *line) wanted(p config.Pipeline) (*proposal, error) {
	file, signature, err := readModule(p)
	if err != nil {
		return nil, err
	}
	digest := digestOf(file)
	live, bytes, err := l.history.Live()
	if err == nil && digest != live.Digest && live.Digest == l.deployment.Live().Digest() && trusted(p, live) && settled(l.history, p, digest) {
		return &proposal{source: live.Source, file: bytes, digest: live.Digest, config: p, kept: true}, nil
	}
	return &proposal{source: p.Plugin.Module, file: file, digest: digest, signature: signature, config: p, watched: true}, nil
}

// discard gives back what was prepared.
func (d *change) discard(ctx context.Context) error {
	var errs []error
	for _, l := range d.added {
		if l != nil {
			errs = append(errs, l.close(ctx))
		}
	}
	for _, l := range d.replaced {
		if l != nil {
			errs = append(errs, l.close(ctx))
		}
	}
	for _, p := range d.versions {
		if p.loaded != nil {
			errs = append(errs, p.loaded.Close(ctx))
		}
	}
	return errors.Join(errs...)
}

// apply does what was prepared. From here on only the disk can fail, and it costs
// the pipeline that it fails.
func (h *Host) apply(d *change, c *config.Config) error {
	for l, p := range d.versions {
		l.rollouts.accept(p)
	}
	for _, l := range d.unchanged {
		l.rollouts.lookAgain()
	}
	for _, l := range d.removed {
		h.remove(l)
	}
	begun := map[string]*line{}
	for old, l := range d.replaced {
		h.remove(old)
		begun[l.name] = l
	}
	for _, l := range d.added {
		begun[l.name] = l
	}
	var errs []error
	for name, l := range begun {
		if err := h.begin(l); err != nil {
			h.log.Error("pipeline cannot be run any more", "pipeline", name, "error", err)
			errs = append(errs, about(name, err))
		}
	}
	h.sort(c)
	return errors.Join(errs...)
}

// remove drains a line and gives back what it has.
func (h *Host) remove(l *line) {
	l.stop()
	<-l.ended
	h.mu.Lock()
	h.lines = slices.DeleteFunc(h.lines, func(other *line) bool { return other == l })
	h.mu.Unlock()
	h.metrics.forget(l)
	if err := l.close(context.WithoutCancel(h.ctx)); err != nil {
		h.log.Warn("a pipeline was not closed in order", "pipeline", l.name, "error", err)
	}
}

// begin runs a line that was prepared.
func (h *Host) begin(l *line) error {
	if err := h.workshop.finish(l); err != nil {
		return errors.Join(err, l.close(context.WithoutCancel(h.ctx)))
	}
	h.mu.Lock()
	h.lines = append(h.lines, l)
	h.mu.Unlock()
	h.metrics.watch(l)
	h.start(l)
	return nil
}

// sort has the lines in the order of the configuration.
func (h *Host) sort(c *config.Config) {
	place := func(l *line) int {
		return slices.IndexFunc(c.Pipelines, func(p config.Pipeline) bool { return p.Name == l.name })
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	slices.SortFunc(h.lines, func(a, b *line) int { return place(a) - place(b) })
}

// told is the change for those who asked for it.
func (d *change) told() control.Reloaded {
	names := func(lines []*line) []string {
		all := []string{}
		for _, l := range lines {
			all = append(all, l.name)
		}
		slices.Sort(all)
		return all
	}
	var changed []*line
	for l := range d.replaced {
		changed = append(changed, l)
	}
	for l := range d.versions {
		changed = append(changed, l)
	}
	return control.Reloaded{Added: names(d.added), Removed: names(d.removed), Changed: names(changed), Unchanged: names(d.unchanged)}
}

// runs reports whether the line has not come to its end.
func (l *line) runs() bool {
	select {
	case <-l.ended:
		return false
	default:
		return true
	}
}

// accept has a configuration count that differs in the plugin alone, and the
// version that it wants go live, unless that is so already.
func (r *rollouts) accept(p *proposal) {
	r.configure(p.config)
	if p.loaded != nil {
		r.suggest(p)
	}
}
