package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/versions"
)

// first loads the version that a pipeline begins with: that of its file, unless
// the host knows better from an earlier run. Then it is the one that was live
// last; the file may be a proposal for later.
func (w workshop) first(ctx context.Context, l *line) (*plugin.Plugin, *proposal, error) {
	c, h := l.config, l.history
	live, bytes, none := h.Live()
	file, signature, err := readModule(c)
	if err != nil {
		if none != nil || !trusted(c, live) {
			return nil, nil, err
		}
		w.log(c, live).Error("the plugin's file cannot be read: the version that was live last goes on", "error", err)
		loaded, err := w.loadKept(ctx, c, live, bytes)
		return loaded, nil, err
	}
	p := &proposal{
		source: c.Plugin.Module, digest: digestOf(file), file: file, signature: signature, config: c, watched: true,
	}
	if none != nil || !trusted(c, live) || live.Digest == p.digest {
		loaded, err := w.loadFirst(ctx, p, l)
		return loaded, nil, err
	}
	return w.choose(ctx, l, p, live, bytes)
}

// choose decides between the file at its place and the version that was live last,
// which is another one.
func (w workshop) choose(ctx context.Context, l *line, p *proposal, live versions.Version, bytes []byte) (*plugin.Plugin, *proposal, error) {
	var later *proposal
	log := w.log(p.config, live).With("file", message.ShortDigest(p.digest))
	refused, known := l.history.Refused(p.digest, fingerprint(p.config))
	switch {
	case known:
		log.Warn("the plugin's file was refused before: the version that was live last goes on", "reason", refused.Reason)
	case settled(l.history, p.config, p.digest):
		log.Info("the version that was live last goes on: the plugin's file has not changed since another was chosen")
	case p.config.Plugin.Rollout.Mode != modeImmediate:
		later = p
	default:
		loaded, err := w.loadFirst(ctx, p, l)
		if err == nil || ctx.Err() != nil {
			return loaded, nil, err
		}
		log.Error("the plugin's file is refused: the version that was live last goes on", "error", err)
	}
	loaded, err := w.loadKept(ctx, p.config, live, bytes)
	return loaded, later, err
}

func (w workshop) log(c config.Pipeline, live versions.Version) *slog.Logger {
	return w.options.Logger.With("pipeline", c.Name, "live", message.ShortDigest(live.Digest))
}

// settled reports whether a file was at the plugin's place already when another
// version was chosen. One that was refused with other settings may do with these.
func settled(h *versions.History, c config.Pipeline, digest string) bool {
	if _, refused := h.Refused(digest, fingerprint(c)); refused {
		return true
	}
	return digest == h.Considered() && !slices.ContainsFunc(h.Versions(), func(v versions.Version) bool {
		return v.Digest == digest && v.State == versions.Refused
	})
}

// trusted reports whether a version that was live may be so again: it is pinned,
// if one is, and was looked at with the same keys.
func trusted(c config.Pipeline, v versions.Version) bool {
	return (c.Plugin.SHA256 == "" || c.Plugin.SHA256 == v.Digest) && trust(v.Settings) == trust(fingerprint(c))
}

// loadFirst loads the plugin's file, and notes what becomes of it: that it is live
// once the pipeline is whole.
func (w workshop) loadFirst(ctx context.Context, p *proposal, l *line) (*plugin.Plugin, error) {
	if err := provenanceOf(p.config, p.file, p.signature, false); err != nil {
		return nil, fmt.Errorf("plugin %s: %w", p.source, err)
	}
	v := versions.Version{Digest: p.digest, Size: len(p.file), Source: p.source, Settings: fingerprint(p.config), Seen: time.Now()}
	loaded, err := w.loadRehearsed(ctx, p)
	switch {
	case err == nil:
		v.Live = v.Seen
		l.keep = func() { w.kept(p, errors.Join(l.history.GoLive(v, p.file), l.history.Consider(p.digest))) }
	case ctx.Err() == nil && !wasLive(l.history, v): // else the fault need not be its own
		v.Reason = err.Error()
		w.kept(p, errors.Join(l.history.Refuse(v), l.history.Consider(p.digest)))
	}
	return loaded, err
}

// wasLive reports whether a version has been live with the same settings.
func wasLive(h *versions.History, v versions.Version) bool {
	return slices.ContainsFunc(h.Versions(), func(k versions.Version) bool {
		return k.Digest == v.Digest && k.Settings == v.Settings && k.State == versions.Good
	})
}

// loadRehearsed loads a version, and tries it on its own examples.
func (w workshop) loadRehearsed(ctx context.Context, p *proposal) (*plugin.Plugin, error) {
	loaded, err := w.engine.Load(ctx, p.source, p.file, w.settings(p.config))
	if err != nil {
		return nil, err
	}
	if err := rehearse(ctx, loaded, p.file, nil); err != nil {
		return nil, errors.Join(fmt.Errorf("plugin %s: %w", p.source, err), loaded.Close(context.WithoutCancel(ctx)))
	}
	return loaded, nil
}

func (w workshop) kept(p *proposal, err error) {
	if err != nil {
		w.options.Logger.Error("the plugin's version could not be kept: there is no going back to it", "pipeline", p.config.Name, "error", err)
	}
}

// settings are those of a plugin that a pipeline begins with.
func (w workshop) settings(c config.Pipeline) plugin.Settings {
	s := settings(c)
	if w.background {
		s.Background = func() bool { return true }
	}
	return s
}

// loadKept loads a version that was live in an earlier run.
func (w workshop) loadKept(ctx context.Context, c config.Pipeline, v versions.Version, file []byte) (*plugin.Plugin, error) {
	loaded, err := w.engine.Load(ctx, v.Source, file, w.settings(c))
	if err != nil {
		return nil, fmt.Errorf("the version that was live last: %w", err)
	}
	return loaded, nil
}
