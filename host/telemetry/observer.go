package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/relayhost/relayhost/host/message"
)

// Observer counts what one pipeline tells it. Make it with [Telemetry.Observer].
type Observer struct {
	start                    prometheus.Gauge
	pull, chunk, ack         prometheus.Observer
	pulledBytes, rateLimited prometheus.Counter
	forwarded                prometheus.Counter
	delivery                 map[string]prometheus.Observer // by batcher
	versions                 versions
}

// Observer makes what a pipeline with these batchers is to be observed by. Its
// metrics are there from then on, at zero; those of a plugin's version from the
// first time that it is told of, for as long as few others are after it. Those
// that an earlier observer of the pipeline had begin anew.
func (t *Telemetry) Observer(pipeline string, batchers ...string) *Observer {
	v := &t.vectors
	v.forget(pipeline)
	o := &Observer{
		start:       v.start.WithLabelValues(pipeline),
		pull:        v.pull.WithLabelValues(pipeline),
		pulledBytes: v.pulledBytes.WithLabelValues(pipeline),
		rateLimited: v.rateLimited.WithLabelValues(pipeline),
		chunk:       v.chunk.WithLabelValues(pipeline),
		forwarded:   v.forwarded.WithLabelValues(pipeline),
		ack:         v.ack.WithLabelValues(pipeline),
		delivery:    make(map[string]prometheus.Observer, len(batchers)),
		versions:    versions{vectors: v, pipeline: pipeline, batchers: batchers},
	}
	o.versions.all.Store(new([]*version))
	for _, name := range batchers {
		o.delivery[name] = v.delivery.WithLabelValues(pipeline, name)
	}
	return o
}

// Started notes how long the start took.
func (o *Observer) Started(_ int, took time.Duration) { o.start.Set(took.Seconds()) }

// Pulled counts a pull that brought something.
func (o *Observer) Pulled(_, bytes int, took time.Duration) {
	o.pull.Observe(took.Seconds())
	o.pulledBytes.Add(float64(bytes))
}

// RateLimited counts a producer's wait.
func (o *Observer) RateLimited(waited time.Duration) { o.rateLimited.Add(waited.Seconds()) }

// MessageHandled counts a call of handle_message.
func (o *Observer) MessageHandled(_ int, m *message.Message, outcome message.Outcome, took time.Duration) {
	v := o.versions.of(m.Plugin)
	v.message.Observe(took.Seconds())
	v.handled.count(outcome)
}

// ChunkHandled counts a processor's chunk.
func (o *Observer) ChunkHandled(_, _, forwarded, _ int, took time.Duration) {
	o.chunk.Observe(took.Seconds())
	o.forwarded.Add(float64(forwarded))
}

// BatchHandled counts a batch. It must be of a batcher that the observer was
// made for.
func (o *Observer) BatchHandled(b *message.Batch, failed int, took, delivery time.Duration) {
	o.delivery[b.Batcher].Observe(delivery.Seconds())
	c := o.versions.of(b.Plugin).batchers[b.Batcher]
	c.batch.Observe(took.Seconds())
	c.messages.Add(float64(len(b.Messages)))
	c.failed.Add(float64(failed))
	c.byTrigger[b.Trigger].Inc()
}

// FailuresHandled counts a call of handle_failed.
func (o *Observer) FailuresHandled(failures []message.Failure, outcome message.Outcome, took time.Duration) {
	v := o.versions.of(failures[0].Plugin)
	v.handleFailed.Observe(took.Seconds())
	v.handleFailedMessages.Add(float64(len(failures)))
	v.handleFailedCalls.count(outcome)
}

// Retrying counts a message that is to be tried again.
func (o *Observer) Retrying(m *message.Message, outcome message.Outcome, _ time.Duration) {
	o.versions.of(m.Plugin).retries.count(outcome)
}

// Halted counts a message that has halted its partition.
func (o *Observer) Halted(m *message.Message, outcome message.Outcome) {
	o.versions.of(m.Plugin).halts.count(outcome)
}

// Settled counts an acknowledgement.
func (o *Observer) Settled(_ []*message.Message, took time.Duration) { o.ack.Observe(took.Seconds()) }
