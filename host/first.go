package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/versions"
)

// first loads the version that a pipeline begins with: that of its file, unless
// the host knows better from an earlier run. Then it is the one that was live
// last; the file may be a proposal for later.
func (w workshop) first(ctx context.Context, c config.Pipeline, h *versions.History) (*plugin.Plugin, *proposal, error) {
	file, signature, err := readModule(c)
	if err != nil {
		return nil, nil, err
	}
	p := &proposal{
		source: c.Plugin.Module, digest: digestOf(file), file: file, signature: signature, config: c, watched: true,
	}
	live, bytes, err := h.Live()
	if err != nil || !trusted(c, live) || live.Digest == p.digest {
		loaded, err := w.loadFirst(ctx, p, h)
		return loaded, nil, err
	}
	log := w.options.Logger.With("pipeline", c.Name, "live", message.ShortDigest(live.Digest), "file", message.ShortDigest(p.digest))
	refused, known := h.Refused(p.digest, fingerprint(c))
	switch {
	case known:
		log.Warn("the plugin's file was refused before: the version that was live last goes on", "reason", refused.Reason)
	case h.Considered() == p.digest:
		log.Info("the version that was live last goes on: the plugin's file has not changed since another was chosen")
	case c.Plugin.Rollout.Mode != modeImmediate:
		loaded, err := w.loadKept(ctx, c, live, bytes)
		return loaded, p, err
	default:
		loaded, err := w.loadFirst(ctx, p, h)
		if err == nil || ctx.Err() != nil {
			return loaded, nil, err
		}
		log.Error("the plugin's file is refused: the version that was live last goes on", "error", err)
	}
	loaded, err := w.loadKept(ctx, c, live, bytes)
	return loaded, nil, err
}

// trusted reports whether a version that was live may be so again: it is pinned,
// if one is, and was looked at with the same keys.
func trusted(c config.Pipeline, v versions.Version) bool {
	return (c.Plugin.SHA256 == "" || c.Plugin.SHA256 == v.Digest) && trust(v.Settings) == trust(fingerprint(c))
}

// loadFirst loads the plugin's file.
func (w workshop) loadFirst(ctx context.Context, p *proposal, h *versions.History) (*plugin.Plugin, error) {
	if err := provenanceOf(p.config, p.file, p.signature, false); err != nil {
		return nil, fmt.Errorf("plugin %s: %w", p.source, err)
	}
	v := versions.Version{Digest: p.digest, Size: len(p.file), Source: p.source, Settings: fingerprint(p.config), Seen: time.Now()}
	loaded, err := w.engine.Load(ctx, p.source, p.file, settings(p.config))
	if err == nil {
		if err = rehearse(ctx, loaded, p.file, nil); err != nil {
			err = errors.Join(fmt.Errorf("plugin %s: %w", p.source, err), loaded.Close(context.WithoutCancel(ctx)))
		}
	}
	if ctx.Err() != nil {
		return loaded, err
	}
	var kept error
	if err != nil {
		loaded, v.Reason = nil, err.Error()
		kept = h.Refuse(v)
	} else {
		v.Live = v.Seen
		kept = h.GoLive(v, p.file)
	}
	if kept = errors.Join(kept, h.Consider(p.digest)); kept != nil {
		w.options.Logger.Error("the plugin's version could not be kept: there is no going back to it", "pipeline", p.config.Name, "error", kept)
	}
	return loaded, err
}

// loadKept loads a version that was live in an earlier run.
func (w workshop) loadKept(ctx context.Context, c config.Pipeline, v versions.Version, file []byte) (*plugin.Plugin, error) {
	loaded, err := w.engine.Load(ctx, v.Source, file, settings(c))
	if err != nil {
		return nil, fmt.Errorf("the version that was live last: %w", err)
	}
	return loaded, nil
}
