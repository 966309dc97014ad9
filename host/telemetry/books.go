package telemetry

import (
	"cmp"
	"maps"
	"slices"

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
	fuel         = describe("plugin_fuel_total", "What the plugin's calls for messages and batches have executed, in units of about an instruction.", "plugin")
	discarded    = describe("plugin_instances_discarded_total", "Instances of the plugin that were given up: by the kind of the failure, or as outgrown, or as state that could not be put back.", "plugin", "why")
	info         = describe("plugin_info", "The versions of the plugin: the one that is live, and one that may become so.", "plugin", "state")
	rollouts     = describe("plugin_rollouts_total", "New versions of the plugin, by how their rollout ended.", "result")
	stage        = describe("plugin_rollout_stage", "What the rollout that runs is at.", "stage")
	recovered    = describe("messages_recovered_total", "Of the messages received, those that an earlier run had left in the journal, or that were put back into it.")
	lag          = describe("source_lag_events", "Events that wait in the log above the cursor; only in mode log.")
	unsettled    = describe("journal_messages_unsettled", "Messages that the journal keeps until they settle.")
	keptBytes    = describe("journal_messages_unsettled_bytes", "The size of their events.")
	deadLetters  = describe("journal_dead_letters", "Dead letters that the journal keeps.")
	ready        = describe("pipeline_ready", "Whether nothing speaks against the pipeline in /readyz.")
)

// The metrics of the host's one journal.
var (
	journalBytes = prometheus.NewDesc(prefix+"journal_bytes", "How much the journal holds.", nil, nil)
	journalLimit = prometheus.NewDesc(prefix+"journal_limit_bytes", "How much it may hold before intake stops.", nil, nil)
	journalReady = prometheus.NewDesc(prefix+"journal_ready", "Whether the journal takes messages in: it is not full, and its disk works.", nil, nil)
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+name, help, append([]string{"pipeline"}, labels...), nil)
}

// books collects what the books of each pipeline say at one instant.
type books struct{ *Telemetry }

func (c books) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		received, settled, failed, inFlight, bytes, maxInFlight, maxBytes, waiting, retries, halted, haltedWithin,
		fuel, discarded, info, rollouts, stage, ready, recovered, lag, unsettled, keptBytes, deadLetters,
		journalBytes, journalLimit, journalReady,
	} {
		to <- d
	}
}

func (c books) Collect(to chan<- prometheus.Metric) {
	for _, w := range c.watching() {
		state := w.state()
		page{w.name, to}.write(&state)
	}
	if j := c.journalState(); j != nil {
		for d, n := range map[*prometheus.Desc]int64{journalBytes: j.Bytes, journalLimit: j.MaxBytes, journalReady: number(j.Err == nil)} {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
		}
	}
}

// number is 1 for what is so.
func number(so bool) int64 {
	if so {
		return 1
	}
	return 0
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
	p.counter(failed, s.Unlocked, message.Unlock.String())
	p.counter(recovered, s.Recovered)
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
	for _, v := range distinct(s.Versions) {
		p.version(&v)
	}
	for _, result := range []string{"live", "refused", "rolled_back", "superseded"} {
		p.counter(rollouts, s.Rollouts[result], result)
	}
	if s.Stage != "" {
		p.gauge(stage, 1, s.Stage)
	}
	p.gauge(ready, number(len(s.reasons()) == 0))
	if s.Lag != nil {
		p.gauge(lag, *s.Lag)
	}
	if k := s.Kept; k != nil {
		p.gauge(unsettled, k.Unsettled)
		p.gauge(keptBytes, k.UnsettledBytes)
		p.gauge(deadLetters, k.DeadLetters)
	}
}

func (p page) version(v *Version) {
	p.counter(fuel, int64(v.Fuel), v.Digest) //nolint:gosec // centuries
	for _, why := range []string{"trap", "deadline", "fuel", "memory", "exit", "abi", "outgrown", "state"} {
		p.counter(discarded, v.Discarded[why], v.Digest, why)
	}
	if v.State != "" {
		p.gauge(info, 1, v.Digest, v.State)
	}
}

// distinct are the last of some versions, with short digests, each once: a
// version that came back after another is one, in the state that it is in last.
func distinct(versions []Version) (found []Version) {
	for _, v := range slices.Backward(versions) {
		v.Digest = message.ShortDigest(v.Digest)
		i := slices.IndexFunc(found, func(f Version) bool { return f.Digest == v.Digest })
		switch {
		case i >= 0:
			found[i].add(&v)
		case len(found) < maxVersions:
			found = append(found, v)
		}
	}
	return found
}

// add adds what an earlier time of the same version has used.
func (v *Version) add(earlier *Version) {
	v.Fuel += earlier.Fuel
	v.State = cmp.Or(v.State, earlier.State)
	sum := maps.Clone(v.Discarded)
	for why, n := range earlier.Discarded {
		if sum == nil {
			sum = make(map[string]int64)
		}
		sum[why] += n
	}
	v.Discarded = sum
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
