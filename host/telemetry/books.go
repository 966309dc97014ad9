package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/relayhost/relayhost/host/message"
)

// prefix begins the name of each metric that is the host's own.
const prefix = "relayhost_"

// The metrics that are read from the books.
var (
	received     = describe("messages_received_total", "Messages that were pulled.")
	settled      = describe("messages_settled_total", "Messages that ended, by how; in every scrape received = settled + in flight.", "kind")
	failed       = describe("messages_failed_total", "Messages that failed for good, by what became of them.", "action")
	inFlight     = describe("messages_in_flight", "Messages that were pulled and have not settled.")
	bytes        = describe("messages_in_flight_bytes", "The size of the events in flight.")
	maxInFlight  = describe("messages_in_flight_limit", "How many messages may be in flight before intake stops.")
	maxBytes     = describe("messages_in_flight_limit_bytes", "How many bytes of events may be in flight before intake stops.")
	waiting      = describe("batcher_messages_waiting", "Messages that wait in a batcher, in open batches and in full ones.", "batcher")
	retries      = describe("retries_waiting", "Messages that wait for another attempt.")
	halted       = describe("halted_partitions", "Partitions that a failed message has halted.")
	haltedWithin = describe("halted_messages", "Messages that wait in halted partitions.")
	ready        = describe("pipeline_ready", "Whether nothing speaks against the pipeline in /readyz.")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+name, help, append([]string{"pipeline"}, labels...), nil)
}

// books collects what the books of each pipeline say at one instant.
type books struct{ *Telemetry }

func (c books) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		received, settled, failed, inFlight, bytes, maxInFlight, maxBytes, waiting, retries, halted, haltedWithin, ready,
	} {
		to <- d
	}
}

func (c books) Collect(to chan<- prometheus.Metric) {
	for _, w := range c.watching() {
		state := w.state()
		page{w.name, to}.write(&state)
	}
}

// page is where one pipeline's books are shown.
type page struct {
	pipeline string
	to       chan<- prometheus.Metric
}

func (p page) write(s *State) {
	p.counter(received, s.Received)
	for _, kind := range message.Kinds() {
		p.counter(settled, s.Settled[kind], kind.String())
	}
	p.counter(failed, s.Dropped, message.Drop.String())
	p.counter(failed, s.DeadLettered, message.DeadLetter.String())
	p.gauge(inFlight, s.InFlight)
	p.gauge(bytes, s.Bytes)
	p.gauge(maxInFlight, s.MaxInFlight)
	p.gauge(maxBytes, s.MaxBytes)
	for batcher, n := range s.Waiting {
		p.gauge(waiting, int64(n), batcher)
	}
	p.gauge(retries, int64(s.Retries))
	p.gauge(halted, int64(s.HaltedPartitions))
	p.gauge(haltedWithin, int64(s.HaltedMessages))
	isReady := int64(0)
	if len(s.reasons()) == 0 {
		isReady = 1
	}
	p.gauge(ready, isReady)
}

func (p page) counter(d *prometheus.Desc, n int64, labels ...string) {
	p.put(d, prometheus.CounterValue, n, labels)
}

func (p page) gauge(d *prometheus.Desc, n int64, labels ...string) {
	p.put(d, prometheus.GaugeValue, n, labels)
}

func (p page) put(d *prometheus.Desc, t prometheus.ValueType, n int64, labels []string) {
	p.to <- prometheus.MustNewConstMetric(d, t, float64(n), append([]string{p.pipeline}, labels...)...)
}
