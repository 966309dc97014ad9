package host

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// verdict is what becomes of a version on trial.
type verdict struct {
	promote bool
	reason  string // why not
}

// looks is how often in its window a trial is looked at: more often, if else its
// figures would be old.
const (
	looks   = 20
	longest = time.Second
)

// try has a version on trial until its window or an operator ends it.
func (r *rollouts) try(ctx context.Context, p *proposal, loaded *plugin.Plugin) (result string, err error) {
	c := p.config.Plugin.Rollout
	shadow := c.Mode == modeShadow
	if err := r.deployment.Try(ctx, loaded, plugin.TrialOptions{Share: c.Share / 100, Shadow: shadow}, r.stage); err != nil {
		return r.failure(ctx, errors.Join(err, loaded.Close(context.WithoutCancel(ctx))))
	}
	r.look(c, time.Now()) // so that there are figures whenever it is seen to be on trial
	r.stage(c.Mode)
	r.log.Info("plugin version is on trial", "mode", c.Mode, "share", fmt.Sprintf("%g%%", c.Share), "window", c.Window, "digest", message.ShortDigest(p.digest))
	v := r.watchTrial(ctx, c)
	if v == nil { // superseded, or the host ends
		if errors.Is(context.Cause(ctx), errSuperseded) {
			err = r.deployment.Drop(ctx)
		}
		result, cause := r.failure(ctx, nil)
		return result, errors.Join(cause, err)
	}
	if !v.promote {
		return control.ResultRolledBack, errors.Join(errors.New(v.reason), r.deployment.Drop(ctx))
	}
	if err = r.deployment.Promote(ctx, r.stage); err == nil {
		return control.ResultLive, nil
	}
	err = errors.Join(err, r.deployment.Drop(ctx))
	if ctx.Err() != nil {
		return r.failure(ctx, err)
	}
	return control.ResultRolledBack, err
}

// watchTrial looks at a trial until it is decided; nil if ctx ends first.
func (r *rollouts) watchTrial(ctx context.Context, c config.Rollout) *verdict {
	began := time.Now()
	tick := time.NewTicker(min(c.Window/looks, longest))
	defer tick.Stop()
	reported := began
	for {
		select {
		case <-ctx.Done():
			return nil
		case v := <-r.verdicts:
			r.look(c, began)
			return &v
		case <-tick.C:
		}
		t := r.look(c, began)
		switch over := time.Since(began) >= c.Window; {
		case c.Mode == modeCanary:
			if v := judge(c, &t, over); v != nil {
				return v
			}
		case time.Since(reported) >= c.Window:
			reported = time.Now()
			r.log.Info("plugin version in the shadow", "compared", t.Compared, "differed", t.Differed, "skipped", t.Skipped,
				"failed", t.Candidate.Failures, "hint", "relayhost plugin promote or rollback ends it")
		}
	}
}

// look has the trial's figures shown.
func (r *rollouts) look(c config.Rollout, began time.Time) plugin.Trial {
	t, err := r.deployment.Trial()
	if err != nil {
		return t
	}
	shown := &control.Trial{
		Share: c.Share / 100, Live: measures(t.Live), Candidate: measures(t.Candidate),
		Compared: t.Compared, Differed: t.Differed, Skipped: t.Skipped,
	}
	if c.Mode == modeCanary {
		shown.Ends = began.Add(c.Window)
	}
	for _, d := range t.Differences {
		shown.Differences = append(shown.Differences, control.Difference(d))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trial = shown
	return t
}

func measures(m plugin.Measures) control.Measures {
	return control.Measures{Messages: m.Messages, Failures: m.Failures, Fuel: m.Fuel, Seconds: m.Time.Seconds()}
}

// judge decides about a canary, nil if it is too early. One that is clearly worse
// need not wait for the window's end; one that had too few messages waits longer.
func judge(c config.Rollout, t *plugin.Trial, over bool) *verdict {
	live, tried := &t.Live, &t.Candidate
	if t.Resting {
		return &verdict{reason: fmt.Sprintf("it fails all the time: %d of %d messages", tried.Failures, tried.Messages)}
	}
	if tried.Messages < int64(c.MinMessages) {
		return nil
	}
	increase := 100 * (failureRatio(tried) - failureRatio(live))
	if !over {
		increase -= chance(tried, live)
	}
	if increase > c.MaxFailureIncrease {
		return &verdict{reason: fmt.Sprintf("it fails %.3g%% of its messages, the live one %.3g%%; max_failure_increase is %g",
			100*failureRatio(tried), 100*failureRatio(live), c.MaxFailureIncrease)}
	}
	if !over || live.Messages == 0 && c.Share < 100 {
		return nil
	}
	for _, ratio := range []struct {
		what, key string
		is, most  float64
	}{
		{"takes", "max_latency_ratio", perMessage(tried.Time.Seconds(), tried) / perMessage(live.Time.Seconds(), live), c.MaxLatencyRatio},
		{"needs fuel", "max_fuel_ratio", perMessage(float64(tried.Fuel), tried) / perMessage(float64(live.Fuel), live), c.MaxFuelRatio},
	} {
		if ratio.is > ratio.most {
			return &verdict{reason: fmt.Sprintf("it %s %.2f times as much for a message as the live one; %s is %g", ratio.what, ratio.is, ratio.key, ratio.most)}
		}
	}
	return &verdict{promote: true}
}

// chance is by how many percentage points the failures of two versions that are
// equally good may well differ, in one of the many looks at them: three standard
// deviations.
func chance(a, b *plugin.Measures) float64 {
	variance := 0.0
	for _, m := range []*plugin.Measures{a, b} {
		ratio := min(failureRatio(m), 1) // failures of batches count, too
		variance += ratio * (1 - ratio) / float64(max(m.Messages, 1))
	}
	return 100 * 3 * math.Sqrt(variance)
}

// failureRatio is 0 where there was no message.
func failureRatio(m *plugin.Measures) float64 {
	return float64(m.Failures) / float64(max(m.Messages, 1))
}

// perMessage is no number where there was no message: no bound is above it.
func perMessage(total float64, m *plugin.Measures) float64 { return total / float64(m.Messages) }

// decide hands an operator's verdict to the trial that runs. It reports false if
// none does.
func (r *rollouts) decide(ctx context.Context, v verdict) (int64, bool) {
	r.mu.Lock()
	trying, number := r.current != nil && r.now.Trying(), r.now.Number
	r.mu.Unlock()
	if !trying {
		return 0, false
	}
	timeout := time.NewTimer(time.Second)
	defer timeout.Stop()
	select {
	case r.verdicts <- v:
		return number, true
	case <-ctx.Done():
	case <-timeout.C: // it has ended meanwhile
	}
	return 0, false
}
