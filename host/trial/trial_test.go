package trial_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/trial"
	"github.com/relayhost/relayhost/plugins"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// cacheDir is shared by the tests of one run, which would compile the plugin
// each otherwise.
var cacheDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "relayhost-trial-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	cacheDir = dir
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		_ = os.RemoveAll(dir)
		os.Exit(status)
	}))
}

func start(t *testing.T, c pipeline.Config) *trial.Pipeline {
	t.Helper()
	p, err := trial.Start(t.Context(), trial.Options{Module: plugins.Upcase, Pipeline: c, CacheDir: cacheDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func batchers(all ...pipeline.BatcherConfig) pipeline.Config { return pipeline.Config{Batchers: all} }

func person(name string) *pb.Event {
	return &pb.Event{Id: name, Data: `{"person": {"first_name": "` + name + `"}}`}
}

func people(n int) (all []*pb.Event) {
	for i := range n {
		all = append(all, person(fmt.Sprint("p", i)))
	}
	return all
}

func nobody() *pb.Event { return &pb.Event{Id: "nobody", Data: "{}"} }

func TestMessageWithoutBatchers(t *testing.T) {
	p := start(t, pipeline.Config{})
	ack, err := p.TestMessage(t.Context(), person("Bill"))
	if err != nil || !ack.OK() || string(ack.Data) != "BILL" || ack.Attempts != 1 || ack.Fuel == 0 || len(ack.Batches) != 0 {
		t.Errorf("%+v, %v", ack, err)
	}
	ack, err = p.TestMessage(t.Context(), nobody())
	if err != nil || ack.OK() || !ack.Settled || ack.Outcome.Kind != message.Handler || ack.Outcome.Action != message.DeadLetter {
		t.Errorf("%+v, %v", ack, err)
	}
}

func TestBatchSizes(t *testing.T) {
	p := start(t, batchers(pipeline.BatcherConfig{Name: "default", BatchSize: 4}))
	_, found, err := p.Run(t.Context(), people(10))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range found {
		got = append(got, fmt.Sprint(b.Batcher, " ", b.Trigger, " ", b.Events, " ", b.Failed, " ", len(b.Records)))
	}
	want := "default size [0 1 2 3] 0 1, default size [4 5 6 7] 0 1, default flush [8 9] 0 1"
	if strings.Join(got, ", ") != want {
		t.Errorf("%s, want %s", strings.Join(got, ", "), want)
	}
}

// More events than a pipeline would have in flight wait in one open batch.
func TestLargeBatch(t *testing.T) {
	p := start(t, batchers(pipeline.BatcherConfig{Name: "default", BatchSize: 100_000}))
	_, found, err := p.Run(t.Context(), people(12_000))
	if err != nil || len(found) != 1 || len(found[0].Events) != 12_000 {
		t.Errorf("%d batches, %v", len(found), err)
	}
}

func TestRoutingFails(t *testing.T) {
	p := start(t, batchers(pipeline.BatcherConfig{Name: "other"}))
	ack, err := p.TestMessage(t.Context(), person("Bill"))
	if err != nil || ack.Outcome.Kind != message.Routing || len(ack.Batches) != 0 {
		t.Errorf("%+v, %v", ack, err)
	}
}

// brokenSink fails the first deliveries.
type brokenSink struct{ times int }

func (s *brokenSink) Deliver(context.Context, *message.Batch, []message.Record) error {
	if s.times--; s.times >= 0 {
		return errors.New("no room")
	}
	return nil
}

func TestSinkFails(t *testing.T) {
	c := batchers(pipeline.BatcherConfig{Name: "default", Sink: &brokenSink{times: 1}})
	c.Failures = pipeline.FailureConfig{OnFailure: message.Retry, Retry: pipeline.RetryConfig{Backoff: 1}}
	ack, err := start(t, c).TestMessage(t.Context(), person("Bill"))
	if err != nil || !ack.OK() || ack.Attempts != 2 || len(ack.Batches) != 2 {
		t.Fatalf("%+v, %v", ack, err)
	}
	first, second := ack.Batches[0], ack.Batches[1]
	if first.Failed != 1 || len(first.Records) != 0 || second.Failed != 0 || len(second.Records) != 1 {
		t.Errorf("%+v then %+v", first, second)
	}
}

// What halts its partition never settles, and the call ends all the same.
func TestHalt(t *testing.T) {
	c := batchers(pipeline.BatcherConfig{Name: "default"})
	c.Processors.PartitionBy = &pipeline.Partition{Field: "none", Value: func(*message.Message) string { return "" }}
	c.Failures.OnFailure = message.HaltPartition
	acks, err := start(t, c).TestBatch(t.Context(), person("Bill"), nobody(), person("Betty"))
	if err != nil || len(acks) != 3 {
		t.Fatal(acks, err)
	}
	if !acks[0].OK() || acks[1].Settled || acks[1].Outcome.Kind != message.Handler || acks[2].Settled || acks[2].Attempts != 0 {
		t.Errorf("%+v", acks)
	}
}

// A call that is cut off leaves a pipeline that works.
func TestCutOff(t *testing.T) {
	p := start(t, batchers(pipeline.BatcherConfig{Name: "default"}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if acks, err := p.TestBatch(ctx, people(3)...); !errors.Is(err, context.Canceled) || len(acks) != 3 {
		t.Errorf("%v, %v", acks, err)
	}
	if ack, err := p.TestMessage(t.Context(), person("Bill")); err != nil || !ack.OK() {
		t.Errorf("%+v, %v", ack, err)
	}
	if acks, err := p.TestBatch(t.Context()); err != nil || len(acks) != 0 {
		t.Errorf("%v, %v", acks, err)
	}
}

func TestRefused(t *testing.T) {
	_, err := trial.Start(t.Context(), trial.Options{Module: []byte("no module")})
	if _, refused := errors.AsType[*plugin.Refusal](err); !refused {
		t.Errorf("the module: %v", err)
	}
	_, err = trial.Start(t.Context(), trial.Options{
		Module: plugins.Upcase, CacheDir: cacheDir,
		Pipeline: batchers(pipeline.BatcherConfig{Name: "a"}, pipeline.BatcherConfig{Name: "a"}),
	})
	if err == nil || !strings.Contains(err.Error(), `batcher "a" is there twice`) {
		t.Errorf("the shape: %v", err)
	}
}
