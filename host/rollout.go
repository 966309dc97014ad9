package host

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/versions"
)

// rollouts brings new versions of a pipeline's plugin to life, one at a time. Of
// those that wait only the newest is kept.
type rollouts struct {
	engine     *plugin.Engine
	deployment *plugin.Deployment
	history    *versions.History
	log        *slog.Logger
	asked      chan struct{}
	verdicts   chan verdict // of an operator, about the trial

	mu       sync.Mutex
	config   config.Pipeline // what every later proposal is made with
	changed  chan struct{}   // closed when config is another one
	settings string          // the fingerprint of the live version's
	next     *proposal
	number   int64
	current  *proposal       // the one that runs
	now      control.Rollout // the same for those who ask, or the last one
	trial    *control.Trial
	settled  bool // the one that runs can be superseded no more
	cancel   context.CancelCauseFunc
	results  map[string]int64
	over     bool // nothing is proposed any more
}

var (
	errSuperseded = errors.New("a newer version has come")
	errOver       = errors.New("the pipeline has ended")
)

func newRollouts(engine *plugin.Engine, d *plugin.Deployment, h *versions.History, c config.Pipeline, log *slog.Logger) *rollouts {
	return &rollouts{
		engine: engine, deployment: d, history: h, config: c, settings: fingerprint(c), log: log,
		asked: make(chan struct{}, 1), verdicts: make(chan verdict), results: map[string]int64{}, changed: make(chan struct{}),
	}
}

// propose has a version go live as soon as it can be, instead of any that waits
// or is on its way, and owns it. It returns its number. The error is that the
// pipeline has ended.
func (r *rollouts) propose(p *proposal) (int64, error) {
	p.digest = digestOf(p.file)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		r.forget(p)
		return 0, errOver
	}
	if p.watched && p.loaded == nil && r.needless(p) {
		return 0, nil
	}
	r.number++
	p.number = r.number
	for _, other := range []*proposal{r.current, r.next} {
		if other != nil && !p.watched {
			p.instead = cmp.Or(other.fileAtPlace(), p.instead)
		}
	}
	r.forget(r.next)
	r.next = p
	if r.current != nil && !r.settled {
		r.cancel(errSuperseded)
	}
	select {
	case r.asked <- struct{}{}:
	default:
	}
	return p.number, nil
}

// needless reports whether a file is on its way already, or would only be in the
// way of a version that may go live, since it may not.
func (r *rollouts) needless(p *proposal) bool {
	if p.same(r.next) || r.next == nil && p.same(r.current) {
		return true
	}
	if r.current == nil && r.next == nil {
		return false // it is refused in its turn
	}
	err := r.admit(p)
	if err != nil {
		r.results[control.ResultRefused]++
		r.tell(p, control.ResultRefused, err)
	}
	return err != nil
}

// forget counts a version that never came to be looked at.
func (r *rollouts) forget(p *proposal) {
	if p == nil {
		return
	}
	r.results[control.ResultSuperseded]++
	if p.loaded != nil {
		_ = p.loaded.Close(context.Background()) // nothing of it has run
	}
}

// run works proposals off until ctx ends.
func (r *rollouts) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			r.end()
			return
		case <-r.asked:
		}
		if p, cancellable := r.begin(ctx); p != nil {
			result, err := r.roll(cancellable, p)
			r.conclude(p, result, err)
		}
	}
}

// end has nothing be proposed any more.
func (r *rollouts) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(r.next)
	r.next, r.over = nil, true
}

// begin takes the proposal that waits.
func (r *rollouts) begin(ctx context.Context) (*proposal, context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.next
	if p == nil {
		return nil, nil
	}
	r.next, r.current, r.settled, r.trial = nil, p, false, nil
	ctx, r.cancel = context.WithCancelCause(ctx)
	mode := p.config.Plugin.Rollout.Mode
	if p.back {
		mode = modeImmediate
	}
	r.now = control.Rollout{Number: p.number, Digest: p.digest, Source: p.source, Mode: mode, Began: time.Now()}
	return p, ctx
}

// stage notes what is done now.
func (r *rollouts) stage(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name == r.now.Stage {
		return
	}
	r.now.Stage = name
	r.settled = r.settled || name == stageSwitch
	r.log.Debug("rollout", "stage", name, "digest", message.ShortDigest(r.now.Digest))
}

// The stages of a rollout; loading has its own names for some.
const (
	stageVerify = "verify"
	stageTest   = "test"
	stageSwitch = "switch"
	stageDone   = "done"
)

// The modes of a rollout.
const (
	modeImmediate = "immediate"
	modeCanary    = "canary"
	modeShadow    = "shadow"
)

// roll takes a version through all stages.
func (r *rollouts) roll(ctx context.Context, p *proposal) (result string, err error) {
	loaded := p.loaded
	if loaded == nil && r.isLive(p) {
		return control.ResultLive, nil
	}
	if loaded == nil {
		loaded, err = r.build(ctx, p, r.stage)
	}
	if err == nil {
		switch {
		case p.back || p.config.Plugin.Rollout.Mode == modeImmediate:
			err = r.deployment.Switch(ctx, loaded, r.stage)
		default:
			return r.try(ctx, p, loaded)
		}
	}
	if err == nil {
		return control.ResultLive, nil
	}
	if loaded != nil {
		err = errors.Join(err, loaded.Close(context.WithoutCancel(ctx)))
	}
	return r.failure(ctx, err)
}

// failure is what becomes of a version that did not go live.
func (r *rollouts) failure(ctx context.Context, err error) (string, error) {
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return control.ResultRefused, err
	case errors.Is(cause, errSuperseded):
		return control.ResultSuperseded, errSuperseded
	default:
		return control.ResultSuperseded, errOver
	}
}

// isLive reports whether a version is live already, with the same settings.
func (r *rollouts) isLive(p *proposal) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return p.digest == r.deployment.Live().Digest() && fingerprint(p.config) == r.settings
}

// build does all that can be done beside the live version.
func (r *rollouts) build(ctx context.Context, p *proposal, told func(stage string)) (*plugin.Plugin, error) {
	told(stageVerify)
	if err := r.admit(p); err != nil {
		return nil, err
	}
	s := settings(p.config)
	s.Background = r.deployment.Busy
	s.Progress = func(stage string) {
		if stage == "start" {
			stage = stageTest
		}
		told(stage)
	}
	loaded, err := r.engine.Load(ctx, p.source, p.file, s)
	if err != nil {
		return nil, err
	}
	if err := rehearse(ctx, loaded, p.file, r.deployment.Recent()); err != nil {
		return nil, errors.Join(err, loaded.Close(context.WithoutCancel(ctx)))
	}
	return loaded, ctx.Err()
}

// counts are how many rollouts ended in which way, and the stage of the one that
// runs.
func (r *rollouts) counts() (results map[string]int64, stage string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != nil {
		stage = r.now.Stage
	}
	return maps.Clone(r.results), stage
}
