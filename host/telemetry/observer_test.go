package telemetry_test

import (
	"context"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/telemetry"
)

// Whatever an observer is told, it allocates nothing.
func TestObserverAllocatesNothing(t *testing.T) {
	o := telemetry.New().Observer("users", "default")
	m := &message.Message{ID: "id"}
	batch := &message.Batch{Batcher: "default", Trigger: message.TriggerFlush, Messages: []*message.Message{m}}
	failures := []message.Failure{{Message: m}}
	failed := message.Failed(message.Unavailable, "no instance")
	for name, call := range map[string]func(){
		"Pulled":          func() { o.Pulled(10, 1000, time.Millisecond) },
		"RateLimited":     func() { o.RateLimited(time.Second) },
		"MessageHandled":  func() { o.MessageHandled(1, m, failed, time.Microsecond) },
		"ChunkHandled":    func() { o.ChunkHandled(1, 10, 9, 1, time.Millisecond) },
		"BatchHandled":    func() { o.BatchHandled(batch, 1, time.Second, time.Millisecond) },
		"FailuresHandled": func() { o.FailuresHandled(failures, failed, time.Millisecond) },
		"Retrying":        func() { o.Retrying(m, failed, time.Second) },
		"Halted":          func() { o.Halted(m, failed) },
		"Settled":         func() { o.Settled(batch.Messages, time.Millisecond) },
	} {
		if n := testing.AllocsPerRun(100, call); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkMessageHandled(b *testing.B) {
	o := telemetry.New().Observer("users", "default")
	m := &message.Message{ID: "id"}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			o.MessageHandled(0, m, message.Outcome{}, 3*time.Microsecond)
		}
	})
}

// BenchmarkPipeline is a pipeline whose handlers do nothing, by the message:
// unobserved and observed take turns, and the metric is what observing adds.
func BenchmarkPipeline(b *testing.B) {
	const messages = 50_000
	metrics := telemetry.New()
	var plain, observed time.Duration
	for b.Loop() {
		plain += once(b, messages, nil)
		observed += once(b, messages, metrics.Observer("users", "default"))
	}
	each := float64(b.N * messages)
	b.ReportMetric(float64(plain)/each, "plain-ns/message")
	b.ReportMetric(float64(observed)/each, "observed-ns/message")
	b.ReportMetric(float64(observed)/float64(plain), "ratio")
}

func once(b *testing.B, messages int, o pipeline.Observer) time.Duration {
	b.Helper()
	c := shape(nil)
	c.Observer = o
	p, err := pipeline.New(c, &source{left: messages}, plugin{})
	must(b, err)
	began := time.Now()
	must(b, p.Run(context.Background()))
	return time.Since(began)
}

// BenchmarkVersions is two versions at work together, and versions that come
// one after another.
func BenchmarkVersions(b *testing.B) {
	o := telemetry.New().Observer("users", "default")
	run := func(name string, versions int) {
		messages := make([]*message.Message, versions)
		for i := range messages {
			messages[i] = &message.Message{Plugin: digest(i)}
		}
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				o.MessageHandled(0, messages[i%versions], message.Outcome{}, 3*time.Microsecond)
			}
		})
	}
	run("one", 1)
	run("two", 2)
	run("new", 1000)
}
