package telemetry_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/telemetry"
)

// digest is the digest of the n-th version.
func digest(n int) string { return fmt.Sprintf("%012x%052x", n, n) }

// all tells an observer of everything that a version does.
func all(o *telemetry.Observer, digest string) {
	m := &message.Message{Plugin: digest}
	failed := message.Failed(message.Trap, "unreachable")
	o.MessageHandled(0, m, failed, time.Microsecond)
	o.Retrying(m, failed, time.Second)
	o.Halted(m, failed)
	o.FailuresHandled([]message.Failure{{Message: m, Plugin: digest}}, message.Outcome{}, time.Microsecond)
	o.BatchHandled(&message.Batch{Batcher: "default", Plugin: digest, Messages: []*message.Message{m}}, 1, time.Second, 0)
}

// byVersion are the metrics that have a version. All counts once in each.
var byVersion = []string{
	"processor_messages_total", "processor_message_duration_seconds", "retries_total", "partition_halts_total",
	"handle_failed_calls_total", "handle_failed_duration_seconds", "handle_failed_messages_total",
	"batch_processor_batches_total", "batch_processor_duration_seconds", "batch_processor_messages_total",
	"batch_processor_failed_messages_total",
}

// versions are the labels of the versions in a metric.
func (f families) versions(name string) map[string]bool {
	found := map[string]bool{}
	for _, m := range f["relayhost_"+name].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "plugin" {
				found[l.GetValue()] = true
			}
		}
	}
	return found
}

// After any number of swaps, with many goroutines at work, each metric has the
// last 16 versions, and no count of the one that was at work all the time is lost.
func TestVersionsAreBounded(t *testing.T) {
	const swaps, workers = 10_000, 4
	metrics := telemetry.New()
	o := metrics.Observer("users", "default")
	live := digest(0)
	var at sync.WaitGroup
	for worker := range workers {
		at.Go(func() {
			for n := 1 + worker; n <= swaps; n += workers {
				all(o, live)
				all(o, digest(n))
			}
		})
	}
	s := serve(t, metrics)
	for range 3 {
		s.scrape()
	}
	at.Wait()
	all(o, live)
	f := s.scrape()
	for _, name := range byVersion {
		found := f.versions(name)
		if len(found) != 16 || !found[live[:12]] {
			t.Errorf("%s has %d versions: %v", name, len(found), found)
		}
		if got := f.sum(name, "plugin="+live[:12]); got != swaps+1 {
			t.Errorf("%s of the version that stays is %d, want %d", name, got, swaps+1)
		}
	}
	// Another pipeline of that name begins anew.
	metrics.Observer("users", "default")
	for _, name := range byVersion {
		if n := s.scrape().sum(name); n != 0 {
			t.Errorf("%s of a new observer is %d", name, n)
		}
	}
}

// Versions that are at work together cost nothing to tell apart.
func TestVersionsAllocateNothing(t *testing.T) {
	o := telemetry.New().Observer("users", "default")
	var messages [4]*message.Message
	for i := range messages {
		messages[i] = &message.Message{Plugin: digest(i)}
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, m := range messages {
			o.MessageHandled(0, m, message.Outcome{}, time.Microsecond)
		}
	}); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

// What versions have used is shown by version, each once however often it came
// back, and the last of them only.
func TestVersionsOfAState(t *testing.T) {
	state := telemetry.State{
		Versions: []telemetry.Version{
			{Digest: digest(1), Fuel: 5, Discarded: map[string]int64{"trap": 1}},
			{Digest: digest(2), State: "live", Fuel: 7},
			{Digest: digest(1), State: "candidate", Fuel: 6, Discarded: map[string]int64{"trap": 2}},
		},
		Rollouts: map[string]int64{"live": 3, "rolled_back": 1},
		Stage:    "compile",
	}
	metrics := telemetry.New()
	metrics.Watch("users", func() telemetry.State { return state })
	s := serve(t, metrics)
	f := s.scrape()
	for _, c := range []struct {
		want   int64
		name   string
		labels string
	}{
		{11, "plugin_fuel_total", "plugin=000000000001"},
		{7, "plugin_fuel_total", "plugin=000000000002"},
		{3, "plugin_instances_discarded_total", "plugin=000000000001 why=trap"},
		{1, "plugin_info", "plugin=000000000001 state=candidate"},
		{1, "plugin_info", "plugin=000000000002 state=live"},
		{2, "plugin_info", ""},
		{3, "plugin_rollouts_total", "result=live"},
		{1, "plugin_rollouts_total", "result=rolled_back"},
		{4, "plugin_rollouts_total", ""},
		{1, "plugin_rollout_stage", "stage=compile"},
	} {
		if got := f.sum(c.name, strings.Fields(c.labels)...); got != c.want {
			t.Errorf("%s{%s} is %d, want %d", c.name, c.labels, got, c.want)
		}
	}
	for n := range 100 {
		state.Versions = append(state.Versions, telemetry.Version{Digest: digest(n)})
	}
	state.Stage = ""
	f = s.scrape()
	if found := f.versions("plugin_fuel_total"); len(found) != 16 || !found["000000000063"] {
		t.Errorf("there are %d versions: %v", len(found), found)
	}
	if n := f.sum("plugin_rollout_stage"); n != 0 {
		t.Error("a stage is shown, and no rollout runs")
	}
}
