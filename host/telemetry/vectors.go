package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// The buckets are seconds. A call of a handler takes microseconds; what waits
// for others takes milliseconds, and seconds when something is wrong.
var (
	callBuckets = []float64{1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.05, 0.1, 0.5, 1, 5}
	waitBuckets = []float64{1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30}
)

// vectors are the metrics that are counted as things happen, of all pipelines.
type vectors struct {
	start       *prometheus.GaugeVec
	pull        *prometheus.HistogramVec
	pulledBytes *prometheus.CounterVec
	rateLimited *prometheus.CounterVec

	chunk     *prometheus.HistogramVec
	forwarded *prometheus.CounterVec
	message   *prometheus.HistogramVec
	handled   *prometheus.CounterVec

	batch       *prometheus.HistogramVec
	delivery    *prometheus.HistogramVec
	batches     *prometheus.CounterVec
	batched     *prometheus.CounterVec
	batchFailed *prometheus.CounterVec

	handleFailed         *prometheus.HistogramVec
	handleFailedMessages *prometheus.CounterVec
	handleFailedCalls    *prometheus.CounterVec
	retries              *prometheus.CounterVec
	halts                *prometheus.CounterVec

	ack *prometheus.HistogramVec
}

func newVectors(r prometheus.Registerer) vectors {
	made := promauto.With(r)
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return made.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return made.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	}
	return vectors{
		start: made.NewGaugeVec(prometheus.GaugeOpts{
			Name: prefix + "pipeline_start_duration_seconds",
			Help: "How long the start took, until every slot had its instance.",
		}, []string{"pipeline"}),
		pull:        histogram("pull_duration_seconds", "Pulls that brought something: how long the source took.", waitBuckets, "pipeline"),
		pulledBytes: counter("pulled_bytes_total", "The size of the events that were pulled.", "pipeline"),
		rateLimited: counter("rate_limited_seconds_total", "How long producers have waited for the rate limit's next window, together.", "pipeline"),

		chunk:     histogram("processor_duration_seconds", "Chunks of messages: how long a processor took for one.", callBuckets, "pipeline"),
		forwarded: counter("processor_forwarded_messages_total", "Messages that processors sent on to batchers, those made of others included.", "pipeline"),
		message:   histogram("processor_message_duration_seconds", "Calls of handle_message: how long one took.", callBuckets, "pipeline", "plugin"),
		handled:   counter("processor_messages_total", "Calls of handle_message, by what came of them; a message that is tried again counts again.", "pipeline", "plugin", "kind"),

		batch:       histogram("batch_processor_duration_seconds", "Batches: how long handle_batch and the delivery took.", waitBuckets, "pipeline", "plugin", "batcher"),
		delivery:    histogram("sink_delivery_duration_seconds", "Batches: how long the sink took to deliver the output, if there was any.", waitBuckets, "pipeline", "batcher"),
		batches:     counter("batch_processor_batches_total", "Batches that were handled, by what emitted them.", "pipeline", "plugin", "batcher", "trigger"),
		batched:     counter("batch_processor_messages_total", "Messages in the batches that were handled.", "pipeline", "plugin", "batcher"),
		batchFailed: counter("batch_processor_failed_messages_total", "Those of them that failed, in handle_batch or in delivery.", "pipeline", "plugin", "batcher"),

		handleFailed:         histogram("handle_failed_duration_seconds", "Calls of handle_failed: how long one took.", callBuckets, "pipeline", "plugin"),
		handleFailedMessages: counter("handle_failed_messages_total", "Failed messages that handle_failed was called with.", "pipeline", "plugin"),
		handleFailedCalls:    counter("handle_failed_calls_total", "Calls of handle_failed, by what came of them.", "pipeline", "plugin", "kind"),
		retries:              counter("retries_total", "Messages that failed and were to be tried again, by what failed them.", "pipeline", "plugin", "kind"),
		halts:                counter("partition_halts_total", "Messages that failed and halted their partition, by what failed them.", "pipeline", "plugin", "kind"),

		ack: histogram("ack_duration_seconds", "Groups of messages that settled: how long the books and the source took.", waitBuckets, "pipeline"),
	}
}

// forget deletes a pipeline's series.
func (v *vectors) forget(pipeline string) {
	of := prometheus.Labels{"pipeline": pipeline}
	for _, vector := range []interface {
		DeletePartialMatch(labels prometheus.Labels) int
	}{
		v.start, v.pull, v.pulledBytes, v.rateLimited, v.chunk, v.forwarded, v.message, v.handled,
		v.batch, v.delivery, v.batches, v.batched, v.batchFailed,
		v.handleFailed, v.handleFailedMessages, v.handleFailedCalls, v.retries, v.halts, v.ack,
	} {
		vector.DeletePartialMatch(of)
	}
}
