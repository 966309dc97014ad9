package telemetry_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/telemetry"
)

// Every scrape of a pipeline at work balances, and the last one says what the
// books and the pipeline's own counts say.
func TestMetricsAgreeWithTheBooks(t *testing.T) {
	const total = 200_000
	metrics := telemetry.New()
	c := shape(nil)
	c.Observer = metrics.Observer(c.Name, "default")
	c.Failures.OnFailure = message.Retry
	c.Failures.Retry = pipeline.RetryConfig{MaxAttempts: 2, Backoff: time.Microsecond, Exhausted: message.Drop}
	p, err := pipeline.New(c, &source{left: total}, plugin{message: everyTenthFails()})
	must(t, err)
	watch(metrics, p)
	s := serve(t, metrics)

	done := make(chan error, 1)
	go func() { done <- p.Run(context.WithoutCancel(t.Context())) }()
	scrapes, midway := 0, 0
	for running := true; running; scrapes++ {
		select {
		case err := <-done:
			must(t, err)
			running = false
		default:
		}
		f := s.scrape()
		received, settled, inFlight := f.sum("messages_received_total"), f.sum("messages_settled_total"), f.sum("messages_in_flight")
		if received != settled+inFlight {
			t.Errorf("received %d, settled %d, in flight %d", received, settled, inFlight)
		}
		if inFlight > 0 {
			midway++
		}
	}
	t.Logf("%d scrapes, %d of them with messages in flight", scrapes, midway)
	if midway == 0 {
		t.Error("no scrape was made while the pipeline was at work")
	}
	agrees(t, s.scrape(), p.Books(), total)
}

func agrees(t *testing.T, f families, b pipeline.Books, total int64) {
	t.Helper()
	for name, want := range map[string]int64{
		"messages_received_total": b.Received, "messages_settled_total": total,
		"messages_in_flight": 0, "messages_in_flight_bytes": 0, "messages_failed_total": b.Dropped,
		"processor_messages_total":       total + f.sum("retries_total"),
		"batch_processor_messages_total": b.SettledOK(), "processor_forwarded_messages_total": b.SettledOK(),
		"pulled_bytes_total": total * int64(len(event)), "retries_waiting": 0, "batcher_messages_waiting": 0,
	} {
		if got := f.sum(name); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	for _, kind := range message.Kinds() {
		if got := f.sum("messages_settled_total", "kind="+kind.String()); got != b.Settled[kind] {
			t.Errorf("settled as %s: %d, the books say %d", kind, got, b.Settled[kind])
		}
	}
	if f.sum("retries_total", "kind=trap") == 0 || b.Dropped == 0 {
		t.Error("nothing was tried again, or nothing dropped")
	}
	if f.sum("processor_messages_total") != f.sum("processor_message_duration_seconds") {
		t.Error("the calls of handle_message and their durations differ")
	}
}

// everyTenthFails fails one message in ten, half of those for good.
func everyTenthFails() func(*message.Message) message.Patch {
	var n atomic.Int64
	return func(*message.Message) (p message.Patch) {
		if i := n.Add(1); i%10 == 0 {
			p.Outcome = message.Failed(message.Trap, "a secret of the plugin")
			p.Retryable = i%20 == 0
		}
		return p
	}
}

// What else an observer is told of is counted: waits for a rate limit, halts,
// calls of handle_failed, failed deliveries.
func TestEverythingIsCounted(t *testing.T) {
	metrics := telemetry.New()
	synctest.Test(t, func(t *testing.T) {
		c := shape(func() error { return errors.New("disk full") })
		c.Observer = metrics.Observer(c.Name, "default")
		c.Producer.RateLimit = pipeline.RateLimit{Messages: 10, Interval: time.Second}
		c.Processors.PartitionBy = &pipeline.Partition{Field: "position", Value: func(m *message.Message) string {
			return map[bool]string{true: "all", false: "last"}[m.Position > 1]
		}}
		p, err := pipeline.New(c, &source{left: 30}, plugin{
			message: func(m *message.Message) (p message.Patch) {
				if m.Position == 1 {
					p.Outcome, p.OnFailure = message.Failed(message.Handler, "wait"), message.HaltPartition
				}
				return p
			},
			failed: func(f []message.Failure) ([]message.OnFailure, message.Outcome) {
				return make([]message.OnFailure, len(f)), message.Outcome{}
			},
		})
		must(t, err)
		watch(metrics, p)
		if err := p.Run(t.Context()); err == nil {
			t.Error("the halted message was not reported")
		}
	})
	f := serve(t, metrics).scrape()
	for _, c := range []struct {
		want   int64
		name   string
		labels []string
	}{
		{1, "partition_halts_total", []string{"kind=handler"}},
		{1, "halted_partitions", nil},
		{1, "halted_messages", nil},
		{29, "handle_failed_messages_total", nil},
		{f.sum("handle_failed_duration_seconds"), "handle_failed_calls_total", []string{"kind=ok"}},
		{29, "batch_processor_failed_messages_total", []string{"batcher=default"}},
		{f.sum("sink_delivery_duration_seconds"), "batch_processor_batches_total", nil},
		{29, "messages_settled_total", []string{"kind=sink"}},
		{29, "messages_failed_total", []string{"action=dead_letter"}},
		{0, "pipeline_ready", nil},
	} {
		if got := f.sum(c.name, c.labels...); got != c.want {
			t.Errorf("%s%v is %d, want %d", c.name, c.labels, got, c.want)
		}
	}
	if got := f.sum("rate_limited_seconds_total"); got < 2 {
		t.Errorf("producers waited %d s for the rate limit, want at least 2", got)
	}
}
