package host

import (
	"errors"
	"time"

	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/provenance"
	"github.com/relayhost/relayhost/host/versions"
)

// conclude notes what became of a rollout: in one line, and where it is kept.
func (r *rollouts) conclude(p *proposal, result string, err error) {
	r.tell(p, result, err)
	kept := r.keep(p, result, err)
	if place := p.fileAtPlace(); place != "" && decided(p, result, err) {
		kept = errors.Join(kept, r.history.Consider(place))
	}
	if kept != nil {
		r.log.Error("what became of a version could not be kept: the next start may not know of it", "digest", message.ShortDigest(p.digest), "error", kept)
	}
	r.note(p, result, err)
	if !p.watched && p.instead != "" && (result == control.ResultRefused || result == control.ResultRolledBack) {
		r.lookAgain() // what it has superseded may be better
	}
}

// decided reports whether the file at the plugin's place needs no other look as
// long as it stays the same.
func decided(p *proposal, result string, err error) bool {
	switch result {
	case control.ResultLive:
		return true
	case control.ResultSuperseded:
		return false
	}
	return p.watched && !isStranger(err)
}

// isStranger reports whether a version was refused for what it does not prove: its
// signature may yet come.
func isStranger(err error) bool {
	_, stranger := errors.AsType[*provenance.Refusal](err)
	return stranger
}

func (r *rollouts) tell(p *proposal, result string, err error) {
	log := r.log.With("digest", message.ShortDigest(p.digest), "source", p.source)
	live := message.ShortDigest(r.deployment.Live().Digest())
	_, known := errors.AsType[*refusedBefore](err)
	switch {
	case result == control.ResultLive:
		log.Info("plugin version is live", "took", time.Since(r.now.Began).Round(time.Millisecond))
	case known, isStranger(err):
		log.Warn("plugin version is refused, and the live one goes on", "live", live, "error", err)
	case result == control.ResultRefused:
		log.Error("plugin version is refused, and the live one goes on", "live", live, "error", err)
	case result == control.ResultRolledBack:
		log.Error("plugin version is rolled back, and the live one goes on", "live", live, "error", err)
	default:
		log.Info("plugin version is given up", "live", live, "why", err)
	}
}

// keep has the history know.
func (r *rollouts) keep(p *proposal, result string, err error) error {
	v := versions.Version{
		Digest: p.digest, Size: len(p.file), Source: p.source, Settings: fingerprint(p.config), Seen: r.now.Began,
	}
	if err != nil {
		v.Reason = err.Error()
	}
	_, known := errors.AsType[*refusedBefore](err)
	switch {
	case result == control.ResultLive:
		return r.keepLive(p, v)
	case known, isStranger(err):
		return nil
	case result == control.ResultRefused:
		return r.history.Refuse(v)
	case result == control.ResultRolledBack:
		return r.history.RolledBack(v)
	}
	return nil
}

func (r *rollouts) keepLive(p *proposal, v versions.Version) (err error) {
	if p.back {
		err = r.wentBack(p)
	}
	v.Live = time.Now()
	return errors.Join(err, r.history.GoLive(v, p.file))
}

// wentBack notes that the version which was live before p is worse.
func (r *rollouts) wentBack(p *proposal) error {
	live, _, err := r.history.Live()
	if err != nil || live.Digest == p.digest {
		return nil //nolint:nilerr // there is none to be noted
	}
	live.Reason = "an operator went back to " + message.ShortDigest(p.digest)
	return r.history.RolledBack(live)
}

// note shows a rollout's end.
func (r *rollouts) note(p *proposal, result string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = nil
	r.cancel(nil)
	r.now.Stage, r.now.Result, r.now.Ended, r.now.Trial = stageDone, result, time.Now(), r.trial
	if err != nil {
		r.now.Error = err.Error()
	}
	r.results[result]++
	if result == control.ResultLive {
		r.settings = fingerprint(p.config)
	}
}
