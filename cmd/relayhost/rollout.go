package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/plugin"
)

// pollInterval is how often a host is asked how far it is.
const pollInterval = 100 * time.Millisecond

// rollout is one of a host's that is followed.
type rollout struct {
	host     control.Host
	pipeline string
	number   int64
	out      io.Writer
	// wants is the result that is no error.
	wants string
	// throughTrial: the begin of a trial is not what was waited for.
	throughTrial bool

	stage string // that has been told
}

// follow tells each stage until there is a result, or the trial has begun.
func (f *rollout) follow(ctx context.Context) error {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		p, err := f.host.Plugin(ctx, f.pipeline)
		if ctx.Err() != nil {
			return f.left()
		}
		if err != nil {
			return fmt.Errorf("follow rollout %d of pipeline %q: %w", f.number, f.pipeline, err)
		}
		if ended, err := f.look(&p); ended || err != nil {
			return err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return f.left()
		}
	}
}

func (f *rollout) left() error {
	return fmt.Errorf("interrupted: rollout %d of pipeline %q goes on in the host\nhint: relayhost plugin history %[2]s shows how it goes", f.number, f.pipeline)
}

// look tells what is new, and reports whether there is nothing more to wait for.
func (f *rollout) look(p *control.Plugin) (ended bool, err error) {
	r := p.Rollout
	switch {
	case r == nil || r.Number < f.number:
		return false, nil
	case r.Number > f.number:
		return true, fmt.Errorf("rollout %d of pipeline %q was superseded by rollout %d, of %s", f.number, f.pipeline, r.Number, versionText(r.Source, r.Digest))
	}
	if f.stage == "" {
		f.tell("rollout %d: %s", r.Number, versionText(r.Source, r.Digest))
	}
	if r.Stage != f.stage && r.Result == "" {
		f.tell("%s", r.Stage)
	}
	f.stage = r.Stage
	if r.Result != "" {
		return true, f.end(r)
	}
	if r.Trying() && !f.throughTrial {
		f.tellTrial(r)
		return true, nil
	}
	return false, nil
}

func (f *rollout) tell(format string, args ...any) {
	_, _ = fmt.Fprintf(f.out, "%s: %s\n", f.pipeline, fmt.Sprintf(format, args...))
}

// end tells the result, or makes it an error.
func (f *rollout) end(r *control.Rollout) error {
	if r.Result == f.wants {
		f.tell("%s: %s", resultText(r.Result), versionText(r.Source, r.Digest))
		return nil
	}
	text := fmt.Sprintf("pipeline %q: %s: %s", f.pipeline, resultText(r.Result), versionText(r.Source, r.Digest))
	if r.Error != "" {
		text += ": " + r.Error
	}
	return errors.New(text)
}

func resultText(result string) string {
	if result == control.ResultRolledBack {
		return "rolled back"
	}
	return result
}

// tellTrial tells what a trial is, and what can be done about it.
func (f *rollout) tellTrial(r *control.Rollout) {
	f.tell("the trial has begun%s", trialEnd(r))
	_, _ = fmt.Fprintf(f.out, "hint: relayhost plugin history %[1]s shows how it goes; relayhost plugin promote %[1]s makes it live now, "+
		"relayhost plugin rollback %[1]s ends it\n", f.pipeline)
}

func trialEnd(r *control.Rollout) string {
	switch {
	case r.Trial != nil && !r.Trial.Ends.IsZero():
		return ", and lasts until " + r.Trial.Ends.UTC().Format(time.RFC3339)
	case r.Stage == control.StageCanary:
		return ", and lasts as long as the window"
	}
	return ", and lasts until it is told to end"
}

// digestShown is how many digits of a digest are enough to name a version.
const digestShown = 12

// versionText names a version for people.
func versionText(source, digest string) string {
	return fmt.Sprintf("%s (%s)", plugin.Printable(source, nameShown), shortDigest(digest))
}

func shortDigest(digest string) string { return digest[:min(len(digest), digestShown)] }
