package host

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/versions"
)

// line is a pipeline that runs.
func (d *desk) line(name string) (*line, error) {
	if d.host == nil {
		return nil, control.ErrNoHost
	}
	if l := d.host.line(name); l != nil {
		return l, nil
	}
	return nil, &control.NoPipelineError{Name: name, Known: d.pipelines()}
}

// Plugin is a pipeline's.
func (d *desk) Plugin(_ context.Context, name string) (control.Plugin, error) {
	l, err := d.line(name)
	if err != nil {
		return control.Plugin{}, err
	}
	return l.plugin(), nil
}

// plugin is what there is of the versions of a line's plugin.
func (l *line) plugin() control.Plugin {
	c, _ := l.rollouts.configured()
	p := control.Plugin{Pipeline: l.name, Mode: c.Plugin.Rollout.Mode, Versions: []control.Version{}}
	live := l.deployment.Live().Digest()
	p.Live = control.Version{Digest: live, Source: l.deployment.Live().Name(), State: "live"}
	if candidate := l.deployment.Candidate(); candidate != nil {
		p.Candidate = &control.Version{Digest: candidate.Digest(), Source: candidate.Name(), State: "candidate"}
	}
	for _, v := range l.history.Versions() {
		shown := control.Version{
			Digest: v.Digest, Source: v.Source, Size: v.Size, State: string(v.State), Reason: v.Reason, Seen: v.Seen, Live: v.Live,
		}
		if v.Digest == live && v.State == versions.Good {
			shown.State = "live"
			p.Live = shown
		}
		p.Versions = append(p.Versions, shown)
	}
	p.Rollout = l.rollouts.show()
	return p
}

// show is the rollout that runs or the last one, nil before the first.
func (r *rollouts) show() *control.Rollout {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next != nil {
		return &control.Rollout{Number: r.next.number, Digest: r.next.digest, Source: r.next.source, Stage: "waiting"}
	}
	if r.now.Number == 0 {
		return nil
	}
	shown := r.now
	if r.current != nil {
		shown.Trial = r.trial
	}
	return &shown
}

// state is a rollout that runs, in short; nil if none does.
func (r *rollouts) state() *control.PluginState {
	if now := r.show(); now != nil && now.Result == "" {
		return &control.PluginState{Stage: now.Stage, Candidate: now.Digest}
	}
	return nil
}

// Swap has another version go live.
func (d *desk) Swap(_ context.Context, name string, m control.Module) (control.Started, error) {
	l, err := d.line(name)
	if err != nil {
		return control.Started{}, err
	}
	c, _ := l.rollouts.configured()
	p := &proposal{source: cmp.Or(m.Name, "admin API"), file: m.File, config: c}
	if len(m.Signature) > 0 { // else there is none
		p.signature = m.Signature
	}
	return l.begin(p)
}

// begin has a version go live that an operator wants.
func (l *line) begin(p *proposal) (control.Started, error) {
	number, err := l.rollouts.propose(p)
	if err != nil {
		return control.Started{}, control.Refuse("pipeline %q has ended, and runs no version\nhint: `relayhost reload` runs it again; the log says why it ended", l.name)
	}
	return control.Started{Rollout: number}, nil
}

// Promote ends a trial.
func (d *desk) Promote(ctx context.Context, name string) (control.Started, error) {
	l, err := d.line(name)
	if err != nil {
		return control.Started{}, err
	}
	number, ok := l.rollouts.decide(ctx, verdict{promote: true})
	if !ok {
		return control.Started{}, control.Refuse("no version of pipeline %q is on trial\n"+
			"hint: `relayhost plugin swap %s FILE` begins one with rollout mode canary or shadow", name, name)
	}
	return control.Started{Rollout: number}, nil
}

// Rollback ends a trial or, if none runs or a version is named, has one that was
// live before go live again.
func (d *desk) Rollback(ctx context.Context, name, digest string) (control.Started, error) {
	l, err := d.line(name)
	if err != nil {
		return control.Started{}, err
	}
	if digest == "" {
		if number, ok := l.rollouts.decide(ctx, verdict{reason: "an operator ended the trial"}); ok {
			return control.Started{Rollout: number}, nil
		}
	}
	v, err := l.keptVersion(digest)
	if err != nil {
		return control.Started{}, err
	}
	file, err := l.history.File(v.Digest)
	if err != nil {
		return control.Started{}, control.Refuse("version %s cannot be had: %v\nhint: `relayhost plugin history %s` lists those that are kept", v.Digest[:12], err, name)
	}
	c, _ := l.rollouts.configured()
	if !trusted(c, v) {
		return control.Started{}, control.Refuse("version %s is not what sha256 pins, or was looked at with other public_keys\n"+
			"hint: change the configuration and reload, or swap to the file", v.Digest[:12])
	}
	return l.begin(&proposal{source: v.Source, file: file, config: c, back: true, kept: true})
}

// keptVersion is the good version whose digest begins so, or the one before the
// live one.
func (l *line) keptVersion(digest string) (versions.Version, error) {
	if digest == "" {
		v, ok := l.history.Previous()
		if !ok {
			return v, control.Refuse("no version of pipeline %q was live before this one", l.name)
		}
		return v, nil
	}
	found := slices.DeleteFunc(l.history.Versions(), func(v versions.Version) bool {
		return v.State != versions.Good || !strings.HasPrefix(v.Digest, digest)
	})
	switch {
	case len(found) == 0:
		return versions.Version{}, control.Refuse("no version of pipeline %q that is kept has the digest %s\n"+
			"hint: `relayhost plugin history %s` lists them", l.name, digest, l.name)
	case len(found) > 1:
		return versions.Version{}, control.Refuse("%d versions of pipeline %q have digests that begin with %s: give more of it", len(found), l.name, digest)
	}
	return found[0], nil
}

// Reload reads the configuration again.
func (d *desk) Reload(ctx context.Context) (control.Reloaded, error) {
	if d.host == nil {
		return control.Reloaded{}, control.ErrNoHost
	}
	return d.host.Reload(context.WithoutCancel(ctx))
}

// Resume has a halted partition go on.
func (d *desk) Resume(_ context.Context, name, partition string) error {
	l, err := d.line(name)
	if err != nil {
		return err
	}
	if !l.pipeline.Resume(partition) {
		return control.Refuse("partition %q of pipeline %q is not halted", partition, name)
	}
	return nil
}

// SetRateLimit replaces a pipeline's rate limit, in a new window.
func (d *desk) SetRateLimit(_ context.Context, name string, l control.RateLimit) error {
	line, err := d.line(name)
	if err != nil {
		return err
	}
	if err := line.pipeline.SetRateLimit(pipeline.RateLimit{Messages: l.AllowedMessages, Interval: l.Interval}, true); err != nil {
		return control.Refuse("%v", err)
	}
	return nil
}
