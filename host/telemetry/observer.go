package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/relayhost/relayhost/host/message"
)

// Observer counts what one pipeline tells it. Make it with [Telemetry.Observer].
type Observer struct {
	start                      prometheus.Gauge
	pull                       prometheus.Observer
	pulledBytes, rateLimited   prometheus.Counter
	chunk, message             prometheus.Observer
	forwarded                  prometheus.Counter
	handled                    kinds
	batchers                   map[string]*batcher
	handleFailed, ack          prometheus.Observer
	handleFailedMessages       prometheus.Counter
	handleFailedCalls, retries kinds
	halts                      kinds
}

// batcher is what is counted of one batcher.
type batcher struct {
	batch, delivery  prometheus.Observer
	messages, failed prometheus.Counter
	byTrigger        [triggers]prometheus.Counter
}

// triggers is how many triggers there are.
const triggers = message.TriggerFlush + 1

// kinds is a counter for each [message.Kind].
type kinds []prometheus.Counter

func newKinds(v *prometheus.CounterVec, pipeline string) kinds {
	var k kinds
	for _, kind := range message.Kinds() {
		k = append(k, v.WithLabelValues(pipeline, kind.String()))
	}
	return k
}

func (k kinds) count(o message.Outcome) { k[o.Kind].Inc() }

// Observer makes what a pipeline with these batchers is to be observed by. All
// of its metrics are there from then on, at zero.
func (t *Telemetry) Observer(pipeline string, batchers ...string) *Observer {
	v := &t.vectors
	o := &Observer{
		start:                v.start.WithLabelValues(pipeline),
		pull:                 v.pull.WithLabelValues(pipeline),
		pulledBytes:          v.pulledBytes.WithLabelValues(pipeline),
		rateLimited:          v.rateLimited.WithLabelValues(pipeline),
		chunk:                v.chunk.WithLabelValues(pipeline),
		message:              v.message.WithLabelValues(pipeline),
		forwarded:            v.forwarded.WithLabelValues(pipeline),
		handled:              newKinds(v.handled, pipeline),
		batchers:             make(map[string]*batcher, len(batchers)),
		handleFailed:         v.handleFailed.WithLabelValues(pipeline),
		ack:                  v.ack.WithLabelValues(pipeline),
		handleFailedMessages: v.handleFailedMessages.WithLabelValues(pipeline),
		handleFailedCalls:    newKinds(v.handleFailedCalls, pipeline),
		retries:              newKinds(v.retries, pipeline),
		halts:                newKinds(v.halts, pipeline),
	}
	for _, name := range batchers {
		o.batchers[name] = v.batcher(pipeline, name)
	}
	return o
}

func (v *vectors) batcher(pipeline, name string) *batcher {
	b := &batcher{
		batch:    v.batch.WithLabelValues(pipeline, name),
		delivery: v.delivery.WithLabelValues(pipeline, name),
		messages: v.batched.WithLabelValues(pipeline, name),
		failed:   v.batchFailed.WithLabelValues(pipeline, name),
	}
	for trigger := range triggers {
		b.byTrigger[trigger] = v.batches.WithLabelValues(pipeline, name, trigger.String())
	}
	return b
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
func (o *Observer) MessageHandled(_ int, _ *message.Message, outcome message.Outcome, took time.Duration) {
	o.message.Observe(took.Seconds())
	o.handled.count(outcome)
}

// ChunkHandled counts a processor's chunk.
func (o *Observer) ChunkHandled(_, _, forwarded, _ int, took time.Duration) {
	o.chunk.Observe(took.Seconds())
	o.forwarded.Add(float64(forwarded))
}

// BatchHandled counts a batch. It must be of a batcher that the observer was
// made for.
func (o *Observer) BatchHandled(b *message.Batch, failed int, took, delivery time.Duration) {
	c := o.batchers[b.Batcher]
	c.batch.Observe(took.Seconds())
	c.delivery.Observe(delivery.Seconds())
	c.messages.Add(float64(len(b.Messages)))
	c.failed.Add(float64(failed))
	c.byTrigger[b.Trigger].Inc()
}

// FailuresHandled counts a call of handle_failed.
func (o *Observer) FailuresHandled(messages int, outcome message.Outcome, took time.Duration) {
	o.handleFailed.Observe(took.Seconds())
	o.handleFailedMessages.Add(float64(messages))
	o.handleFailedCalls.count(outcome)
}

// Retrying counts a message that is to be tried again.
func (o *Observer) Retrying(_ *message.Message, outcome message.Outcome, _ time.Duration) {
	o.retries.count(outcome)
}

// Halted counts a message that has halted its partition.
func (o *Observer) Halted(_ *message.Message, outcome message.Outcome) { o.halts.count(outcome) }

// Settled counts an acknowledgement.
func (o *Observer) Settled(_ []*message.Message, took time.Duration) { o.ack.Observe(took.Seconds()) }
