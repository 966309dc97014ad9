package host

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/eventjson"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/provenance"
	"github.com/relayhost/relayhost/host/trial"
	"github.com/relayhost/relayhost/host/versions"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// proposal is a version that somebody wants to go live.
type proposal struct {
	number    int64
	source    string // a path, or who it is of
	digest    string
	file      []byte
	signature []byte
	config    config.Pipeline
	// watched: nobody asked for it but the file at its place, so that what was
	// refused before is not tried again.
	watched bool
	// instead is the digest of the file at its place that this one, which somebody
	// asked for, has superseded.
	instead string
	// back: it was live before, and goes live at once; the one that is live now is
	// noted as worse.
	back bool
	// kept: it was live before, and has shown its signature then.
	kept bool
	// loaded is the plugin, if that has been done already.
	loaded *plugin.Plugin
}

// same reports whether the two are one file that would be looked at alike.
func (p *proposal) same(other *proposal) bool {
	return other != nil && p.digest == other.digest && bytes.Equal(p.signature, other.signature) &&
		fingerprint(p.config) == fingerprint(other.config) && p.config.Plugin.Rollout == other.config.Plugin.Rollout
}

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

// fileAtPlace is the digest of the file at the plugin's place, as far as the
// proposal knows of it.
func (p *proposal) fileAtPlace() string {
	if p.watched {
		return p.digest
	}
	return p.instead
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
	s.Background = true
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

// admit looks at where a version comes from, and whether it was refused before.
func (r *rollouts) admit(p *proposal) error {
	if err := provenanceOf(p.config, p.file, p.signature, p.kept); err != nil {
		return err
	}
	if !p.watched {
		return nil
	}
	if v, refused := r.history.Refused(p.digest, fingerprint(p.config)); refused {
		return &refusedBefore{v}
	}
	return nil
}

// refusedBefore is a file that was refused and has not changed since.
type refusedBefore struct{ version versions.Version }

func (e *refusedBefore) Error() string {
	return fmt.Sprintf("it was %s before: %s\nhint: `relayhost plugin swap` tries it once more",
		map[versions.State]string{versions.Refused: "refused", versions.RolledBack: "rolled back"}[e.version.State], e.version.Reason)
}

// provenanceOf checks a file against its pin and its signature. One that was live
// before has shown its signature then.
func provenanceOf(c config.Pipeline, file, signature []byte, before bool) error {
	policy := provenance.Policy{SHA256: c.Plugin.SHA256, Keys: c.Plugin.PublicKeys}
	if before {
		policy.Keys = nil
	}
	return policy.Verify(file, signature)
}

// rehearse tries a version on its own examples, all of which it must handle, and
// on recent events, none of which may cost it its instance.
func rehearse(ctx context.Context, p *plugin.Plugin, file []byte, recent []*message.Message) error {
	examples, err := examplesOf(file)
	if err != nil {
		return err
	}
	messages := slices.Concat(examples, recent)
	outcomes, err := p.Rehearse(ctx, messages)
	if err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	handled := 0
	for i, o := range outcomes {
		switch {
		case o.OK():
			handled++
		case i < len(examples):
			return fmt.Errorf("it fails its own example %d, event %q: %s: %s", i+1, messages[i].ID, o.Kind, o.Reason)
		case o.Kind != message.Handler:
			return fmt.Errorf("it fails the event %q, which the live version handles: %s: %s", messages[i].ID, o.Kind, o.Reason)
		}
	}
	if len(recent) > 0 && handled == len(examples) {
		o := outcomes[len(outcomes)-1]
		return fmt.Errorf("it fails all of %d recent events, which the live version handles; the last: %s", len(recent), o.Reason)
	}
	return nil
}

func examplesOf(file []byte) ([]*message.Message, error) {
	events, err := eventjson.Read[pb.Event](bytes.NewReader(plugin.Examples(file)))
	if err != nil {
		return nil, fmt.Errorf("its examples cannot be read: %w", err)
	}
	return trial.Messages(events)
}

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

// fingerprint tells settings apart, with which the same file may be judged
// otherwise.
func fingerprint(c config.Pipeline) string {
	s := settings(c)
	s.Pipeline = ""
	keys := make([]string, len(c.Plugin.PublicKeys))
	for i, k := range c.Plugin.PublicKeys {
		keys[i] = k.String()
	}
	text, _ := json.Marshal(struct { // of plain values: it cannot fail
		Config, State, Clock, Random, Pin string
		Limits                            plugin.Limits
		Batch                             bool
	}{s.Config, string(s.State), string(s.Clock), string(s.Random), c.Plugin.SHA256, s.Limits, s.NeedBatch})
	return short([]byte(strings.Join(keys, " "))) + trustEnd + short(text)
}

// trustEnd is what stands in a fingerprint between the keys' and the rest.
const trustEnd = "-"

// trust is the part of a fingerprint that tells the keys.
func trust(fingerprint string) string {
	keys, _, _ := strings.Cut(fingerprint, trustEnd)
	return keys
}

func short(text []byte) string { return digestOf(text)[:16] }

// digestOf is a file's SHA-256, in hex.
func digestOf(file []byte) string {
	sum := sha256.Sum256(file)
	return hex.EncodeToString(sum[:])
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
