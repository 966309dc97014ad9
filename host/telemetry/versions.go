package telemetry

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/relayhost/relayhost/host/message"
)

const (
	// maxVersions is how many versions of a pipeline's plugin have series: swaps
	// for months must not fill the registry.
	maxVersions = 16
	// front is how many of them may be at work at the same time, and are found
	// with no lock: the live one, one that is tried, and two that drain.
	front = 4
)

// versions are those of a pipeline's plugin that have series, about in the order
// in which they were told of last: the front's is not kept, so that versions that
// take turns cost nothing.
type versions struct {
	vectors  *vectors
	pipeline string
	batchers []string

	all atomic.Pointer[[]*version] // replaced as a whole
	mu  sync.Mutex                 // of who replaces it
}

// of is the version of a digest. The digests that are compared are the same
// string as a rule, or differ at their first byte.
func (v *versions) of(digest string) *version {
	all := *v.all.Load()
	for _, known := range all[:min(front, len(all))] {
		if known.digest == digest {
			return known
		}
	}
	return v.bring(digest)
}

// bring puts a version before all others, and takes the series of the last one
// away if those are too many.
func (v *versions) bring(digest string) *version {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := *v.all.Load()
	i := slices.IndexFunc(all, func(known *version) bool { return known.digest == digest })
	if 0 <= i && i < front {
		return all[i] // another call was faster
	}
	var first *version
	if i >= 0 {
		first, all = all[i], slices.Concat(all[:i], all[i+1:])
	} else {
		first = newVersion(v, digest)
	}
	if len(all) == maxVersions {
		all[maxVersions-1].forget()
		all = all[:maxVersions-1]
	}
	all = slices.Concat([]*version{first}, all)
	v.all.Store(&all)
	return first
}

// version is what is counted of one version.
type version struct {
	digest string
	labels [2]string // the pipeline and the version, as all of its series begin
	series []series

	message, handleFailed      prometheus.Observer
	handleFailedMessages       prometheus.Counter
	handled, handleFailedCalls kinds
	retries, halts             kinds
	batchers                   map[string]*batcher
}

// series is one of a version's, to be deleted with it.
type series struct {
	of     interface{ DeleteLabelValues(values ...string) bool }
	labels []string
}

// batcher is what is counted of one batcher.
type batcher struct {
	batch            prometheus.Observer
	messages, failed prometheus.Counter
	byTrigger        [triggers]prometheus.Counter
}

// triggers is how many triggers there are.
const triggers = message.TriggerFlush + 1

// kinds is a counter for each [message.Kind].
type kinds []prometheus.Counter

func (k kinds) count(o message.Outcome) { k[o.Kind].Inc() }

func newVersion(v *versions, digest string) *version {
	n := &version{
		digest: digest, labels: [2]string{v.pipeline, message.ShortDigest(digest)},
		batchers: make(map[string]*batcher, len(v.batchers)),
	}
	n.message = n.histogram(v.vectors.message)
	n.handled = n.kinds(v.vectors.handled)
	n.handleFailed = n.histogram(v.vectors.handleFailed)
	n.handleFailedMessages = n.counter(v.vectors.handleFailedMessages)
	n.handleFailedCalls = n.kinds(v.vectors.handleFailedCalls)
	n.retries = n.kinds(v.vectors.retries)
	n.halts = n.kinds(v.vectors.halts)
	for _, name := range v.batchers {
		n.batchers[name] = n.batcher(v.vectors, name)
	}
	return n
}

func (n *version) batcher(v *vectors, name string) *batcher {
	b := &batcher{
		batch:    n.histogram(v.batch, name),
		messages: n.counter(v.batched, name),
		failed:   n.counter(v.batchFailed, name),
	}
	for trigger := range triggers {
		b.byTrigger[trigger] = n.counter(v.batches, name, trigger.String())
	}
	return b
}

func (n *version) kinds(v *prometheus.CounterVec) (k kinds) {
	for _, kind := range message.Kinds() {
		k = append(k, n.counter(v, kind.String()))
	}
	return k
}

func (n *version) counter(v *prometheus.CounterVec, labels ...string) prometheus.Counter {
	labels = append(n.labels[:2:2], labels...)
	n.series = append(n.series, series{v, labels})
	return v.WithLabelValues(labels...)
}

func (n *version) histogram(v *prometheus.HistogramVec, labels ...string) prometheus.Observer {
	labels = append(n.labels[:2:2], labels...)
	n.series = append(n.series, series{v, labels})
	return v.WithLabelValues(labels...)
}

// forget deletes the version's series. Who still counts in them counts for
// nobody.
func (n *version) forget() {
	for _, s := range n.series {
		s.of.DeleteLabelValues(s.labels...)
	}
}
