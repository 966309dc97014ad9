package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/trial"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// workbench has one build after the other run on the same events.
type workbench struct {
	*process

	path string
	try  tryCommand
	last *host.ReplayChunk // what the last build that ran has made of the events
}

// turn builds, runs, and prints what came of it and what of that has changed.
func (w *workbench) turn(ctx context.Context, build buildFunc) error {
	module, err := built(ctx, w.process, w.path, build)
	if err != nil {
		return unusable(err)
	}
	setup, events, err := w.prepare(module)
	if err != nil {
		return unusable(err)
	}
	messages, err := trial.Messages(events)
	if err != nil {
		return err
	}
	run, err := tryPipeline(ctx, setup, messages)
	if _, refused := errors.AsType[*plugin.Refusal](err); refused {
		return unusable(err)
	}
	if err != nil {
		return err
	}
	return errors.Join(printRun(printer{out: w.out}, run), w.compare(messages, run), sum(w.process, run.Acks, run.Batches))
}

// built is a build that is told of.
func built(ctx context.Context, p *process, path string, build buildFunc) ([]byte, error) {
	start := time.Now()
	module, err := build(ctx)
	if err == nil {
		p.log.Info("built", "plugin", path, "bytes", len(module), "digest", plugin.Digest(module)[:12],
			"took", time.Since(start).Round(time.Millisecond))
	}
	return module, err
}

// prepare reads anew whatever may have changed with the source.
func (w *workbench) prepare(module []byte) (setup trial.Options, events []*pb.Event, err error) {
	if setup, err = w.try.options(w.process); err != nil {
		return setup, nil, err
	}
	setup.Module = module
	if !w.try.whole() && handlesBatches(module) {
		setup.Pipeline.Batchers = []pipeline.BatcherConfig{{Name: "default"}}
	}
	try := w.try
	if len(try.Event) == 0 {
		try.Event = sampleFiles(w.path)
	}
	if len(try.Event) == 0 {
		return setup, sampleEvents(), nil
	}
	events, err = try.events(w.process)
	return setup, events, err
}

// handlesBatches is false for what is no module: that is refused later.
func handlesBatches(module []byte) bool {
	found, err := plugin.Inspect(module, plugin.Settings{})
	return err == nil && found.Module != nil && slices.Contains(found.Module.Handlers, "handle_batch")
}

// compare prints what differs from the last build that ran, and puts this one in
// its place.
func (w *workbench) compare(messages []*message.Message, run host.ReplayRun) error {
	last := w.last
	w.last = &host.ReplayChunk{Messages: messages, Runs: []host.ReplayRun{run}}
	switch {
	case last == nil:
		return nil
	case !slices.EqualFunc(last.Messages, messages, sameEvent):
		_, err := fmt.Fprintln(w.out, "the events are others than before: nothing is compared")
		return err
	}
	c := newCompared(printer{out: w.out}, devTolerance)
	err := c.add(host.ReplayChunk{Messages: messages, Runs: []host.ReplayRun{last.Runs[0], run}})
	if err == nil {
		err = c.sum()
	}
	if _, differ := errors.AsType[differences](err); differ {
		return nil // as was to be expected
	}
	return err
}

// devTolerance is how much fuel may differ without being listed.
const devTolerance percent = 0.1

func sameEvent(a, b *message.Message) bool { return bytes.Equal(a.Event, b.Event) }
