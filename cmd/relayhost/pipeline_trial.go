package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/trial"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// whole reports whether the whole pipeline is wanted.
func (c *tryCommand) whole() bool { return len(c.Batcher) > 0 || c.HostConfig != "" }

// setup is the pipeline that the flags name.
func (c *tryCommand) setup(p *process) (o trial.Options, err error) {
	switch {
	case c.HostConfig == "" && c.Pipeline != "":
		return o, errors.New("--pipeline names one of a configuration: give that with -c")
	case c.HostConfig == "":
		o.Pipeline.Batchers, err = batchers(c.Batcher)
		return o, err
	case len(c.Batcher) > 0:
		return o, errors.New("the batchers are those of -c, or of --batcher: give one of the two")
	}
	loaded, err := config.Load(c.HostConfig)
	if err != nil {
		return o, err
	}
	chosen, err := choose(loaded, c.HostConfig, c.Pipeline)
	if err != nil {
		return o, err
	}
	return host.Trial(chosen, host.Options{Logger: p.log}), nil
}

// choose is the pipeline of a configuration that a flag names, or the only one.
func choose(loaded *config.Config, file, name string) (config.Pipeline, error) {
	var names []string
	for _, p := range loaded.Pipelines {
		if p.Name == name || name == "" && len(loaded.Pipelines) == 1 {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return config.Pipeline{}, fmt.Errorf("--pipeline is %q, and %s has %s", name, file, strings.Join(names, ", "))
}

// batchers are those of the texts NAME[:SIZE].
func batchers(texts []string) (all []pipeline.BatcherConfig, err error) {
	for _, text := range texts {
		name, size, sized := strings.Cut(text, ":")
		b := pipeline.BatcherConfig{Name: name}
		if sized {
			b.BatchSize, err = strconv.Atoi(size)
		}
		if err != nil || name == "" || sized && b.BatchSize < 1 {
			return nil, fmt.Errorf("--batcher is %q, want NAME or NAME:SIZE, the size at least 1", text)
		}
		for _, other := range all {
			if other.Name == name {
				return nil, fmt.Errorf("--batcher %s is there twice", name)
			}
		}
		all = append(all, b)
	}
	return all, nil
}

// runPipeline runs events through the whole pipeline, and prints what became of
// each, and then each batch.
func (c *tryCommand) runPipeline(ctx context.Context, p *process, setup trial.Options, events []*pb.Event) error {
	messages, err := trial.Messages(events)
	if err != nil {
		return err
	}
	run, err := tryPipeline(ctx, setup, messages)
	if run.Acks == nil {
		return err
	}
	return errors.Join(err, printRun(printer{p.out, c.JSON}, run), sum(p, run.Acks, run.Batches))
}

// tryPipeline is a plugin's life in a pipeline of its own. What it returns with an
// error is as far as it came.
func tryPipeline(ctx context.Context, setup trial.Options, messages []*message.Message) (run host.ReplayRun, err error) {
	tried, err := trial.Start(ctx, setup)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, tried.Close(context.WithoutCancel(ctx))) }()
	run.Acks, run.Batches, err = tried.RunMessages(ctx, messages)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	return run, err
}

func printRun(out printer, run host.ReplayRun) (err error) {
	for i := range run.Acks {
		err = errors.Join(err, out.print(acknowledged(i, &run.Acks[i])))
	}
	for _, b := range run.Batches {
		err = errors.Join(err, out.print(handledBatch{summary(b)}))
	}
	return err
}

// acknowledged is an acknowledgement as an outcome.
func acknowledged(i int, a *trial.Ack) outcome {
	o := outcome{
		Index: i, Status: "ok", Kind: a.Outcome.Kind.String(), Reason: a.Outcome.Reason,
		Action: a.Outcome.Action.String(), Attempts: a.Attempts, Fuel: a.Fuel, Microseconds: a.Took.Microseconds(),
	}
	switch {
	case !a.Settled:
		o.Status = "unsettled"
		if a.Outcome.OK() {
			o.Kind = "waiting"
		}
		return o
	case !a.OK():
		o.Status = "failed"
		return o
	}
	o.Batcher, o.BatchKey = a.Batcher, a.BatchKey
	o.Data, o.Base64 = text(a.Data)
	for _, made := range a.Outputs {
		next := output{Batcher: made.Batcher, BatchKey: made.BatchKey}
		next.Data, next.Base64 = text(made.Data)
		o.Outputs = append(o.Outputs, next)
	}
	return o
}

// sum says what became of all, and is an error unless all are ok.
func sum(p *process, acks []trial.Ack, batches []*trial.Batch) error {
	ok, failed := 0, 0
	for i := range acks {
		switch {
		case acks[i].OK():
			ok++
		case acks[i].Settled:
			failed++
		}
	}
	text := fmt.Sprintf("%d events: %d ok, %d failed", len(acks), ok, failed)
	if rest := len(acks) - ok - failed; rest > 0 {
		text += fmt.Sprintf(", %d unsettled", rest)
	}
	if text += fmt.Sprintf("; %d batches", len(batches)); ok < len(acks) {
		return errors.New(text)
	}
	_, _ = fmt.Fprintln(p.err, text)
	return nil
}

// handledBatch is a batch. Its JSON form is documented in
// docs/plugin-commands.md.
type handledBatch struct {
	Batch batchSummary `json:"batch"`
}

type batchSummary struct {
	Batcher   string `json:"batcher"`
	BatchKey  string `json:"batch_key"`
	Partition int    `json:"partition"`
	Trigger   string `json:"trigger"`
	Size      int    `json:"size"`
	Events    []int  `json:"events"`
	Failed    int    `json:"failed"`
	// Records are texts, or of those that are not UTF-8 an object with their
	// base64.
	Records      []any  `json:"records"`
	Fuel         uint64 `json:"fuel"`
	Microseconds int64  `json:"duration_us"`
}

func summary(b *trial.Batch) batchSummary {
	s := batchSummary{
		Batcher: b.Batcher, BatchKey: b.Key, Partition: b.Partition, Trigger: b.Trigger.String(),
		Size: len(b.Events), Events: b.Events, Failed: b.Failed, Records: []any{},
		Fuel: b.Fuel, Microseconds: b.Took.Microseconds(),
	}
	for _, r := range b.Records {
		if utf8.Valid(r) {
			s.Records = append(s.Records, string(r))
		} else {
			s.Records = append(s.Records, map[string][]byte{"base64": r})
		}
	}
	return s
}

// String is the batch as a line, and a line for each of its records.
func (h handledBatch) String() string {
	b := &h.Batch
	line := fmt.Sprintf("batch %s failed=%d fuel=%d %v",
		b.place(), b.Failed, b.Fuel, time.Duration(b.Microseconds)*time.Microsecond)
	return strings.Join(append([]string{line}, b.printable()...), "\n  ")
}

// place is what was gathered, and where.
func (b batchSummary) place() string {
	route := outcome{Batcher: b.Batcher, BatchKey: b.BatchKey}.route()
	events := strings.Trim(strings.ReplaceAll(fmt.Sprint(b.Events), " ", ","), "[]")
	return fmt.Sprintf("%s partition=%d trigger=%s size=%d events=%s", route, b.Partition, b.Trigger, b.Size, events)
}

// printable is the records, a line each.
func (b batchSummary) printable() (lines []string) {
	for _, r := range b.Records {
		if other, binary := r.(map[string][]byte); binary {
			r = string(other["base64"])
		}
		lines = append(lines, plugin.Printable(fmt.Sprint(r), shown))
	}
	return lines
}
