package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// Config is the shape of a pipeline. Fields are required unless their comment
// gives a default; a host fills in those of its configuration.
type Config struct {
	Name string
	// Shutdown is the deadline of the whole drain.
	Shutdown time.Duration
	// MaxInFlight is how many messages may be pulled and not settled, however
	// they are waiting. Defaults to 10,000.
	MaxInFlight int
	// MaxInFlightBytes is how many bytes of events they may have together; one
	// pull may go beyond. Defaults to 256 MiB.
	MaxInFlightBytes int64
	Producer         ProducerConfig
	Processors       ProcessorsConfig
	// Batchers may be empty: then a message settles when it is handled.
	Batchers []BatcherConfig
	Failures FailureConfig
	// Journal keeps what is in flight. Defaults to none: then it is lost with
	// the process.
	Journal Journal
	// Observer is told what happens. Defaults to none.
	Observer Observer
	// Logger defaults to discarding.
	Logger *slog.Logger
}

// ProducerConfig is the shape of the stage that pulls.
type ProducerConfig struct {
	// Concurrency is the number of pulls at a time, at least 1.
	Concurrency int
	// RateLimit bounds how much is pulled; the zero value does not.
	RateLimit RateLimit
}

// ProcessorsConfig is the shape of the stage that handles single messages.
type ProcessorsConfig struct {
	// Concurrency is the number of slots, at least 1.
	Concurrency int
	// MaxDemand is the most that a slot asks each producer for, at least 1.
	MaxDemand int
	// MinDemand is below MaxDemand; their difference is the largest chunk.
	MinDemand int
	// PartitionBy is the field whose equal values one slot handles, in order.
	// Defaults to none.
	PartitionBy *Partition
}

// BatcherConfig is the shape of one batcher.
type BatcherConfig struct {
	Name string
	// Concurrency is the number of batches handled at a time, at least 1.
	Concurrency int
	// BatchSize is the most messages of a batch, at least 1. A batch has fewer at
	// its timeout, beyond MaxOpen, and if it would keep more from being pulled.
	BatchSize int
	// BatchBytes is the most bytes of a batch's messages together; a message
	// that is larger is a batch of its own. Defaults to 64 MiB.
	BatchBytes int
	// BatchTimeout emits a batch so long after its first message, above 0.
	BatchTimeout time.Duration
	// MaxOpen is how many batches may wait to fill, one for each batch key and
	// partition; beyond it the oldest is emitted as it is. Defaults to 10,000.
	MaxOpen int
	// PartitionBy is the field whose equal values one slot handles, in order.
	// Defaults to none.
	PartitionBy *Partition
	Sink        Sink
	// SinkTimeout is how long a delivery may take. Defaults to 30 s.
	SinkTimeout time.Duration
}

// FailureConfig says what becomes of messages that fail.
type FailureConfig struct {
	// OnFailure is what becomes of a message that failed, unless a handler has
	// said otherwise. Defaults to [message.DeadLetter]. [message.Unlock] wants a
	// source that is an [Unlocker], and is as Retry.Exhausted where that cannot.
	OnFailure message.OnFailure
	Retry     RetryConfig
}

// RetryConfig says how [message.Retry] tries again.
type RetryConfig struct {
	// MaxAttempts is how often a message is handled at most. Defaults to 5.
	MaxAttempts int
	// Backoff is the wait before the second attempt, twice as long before each
	// further one, up to MaxBackoff, and up to a fifth more or less by chance.
	// They default to 100 ms and 30 s.
	Backoff, MaxBackoff time.Duration
	// KeepOrder has the later messages of a partition wait for one that is tried
	// again. It wants partitioned processors.
	KeepOrder bool
	// Exhausted is what becomes of a message that fails for good. Defaults to
	// [message.DeadLetter].
	Exhausted message.OnFailure
}

// WithDefaults fills in what is zero and has a default.
func (c Config) WithDefaults() Config {
	c.MaxInFlight = cmp.Or(c.MaxInFlight, 10_000)
	c.MaxInFlightBytes = cmp.Or(c.MaxInFlightBytes, 256<<20)
	batchers := make([]BatcherConfig, len(c.Batchers))
	for i, b := range c.Batchers {
		b.BatchBytes = cmp.Or(b.BatchBytes, 64<<20)
		b.MaxOpen = cmp.Or(b.MaxOpen, 10_000)
		b.SinkTimeout = cmp.Or(b.SinkTimeout, 30*time.Second)
		batchers[i] = b
	}
	c.Batchers = batchers
	f := &c.Failures
	f.OnFailure = cmp.Or(f.OnFailure, message.DeadLetter)
	f.Retry.MaxAttempts = cmp.Or(f.Retry.MaxAttempts, 5)
	f.Retry.Backoff = cmp.Or(f.Retry.Backoff, 100*time.Millisecond)
	f.Retry.MaxBackoff = cmp.Or(f.Retry.MaxBackoff, 30*time.Second)
	f.Retry.Exhausted = cmp.Or(f.Retry.Exhausted, message.DeadLetter)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c *Config) validate() error {
	switch p := c.Processors; {
	case c.Shutdown <= 0:
		return errors.New("shutdown must be above 0")
	case c.Producer.Concurrency < 1:
		return errors.New("producer concurrency must be at least 1")
	case p.Concurrency < 1:
		return errors.New("processor concurrency must be at least 1")
	case p.MaxDemand < 1:
		return errors.New("max_demand must be at least 1")
	case p.MinDemand < 0 || p.MinDemand >= p.MaxDemand:
		return fmt.Errorf("min_demand must be between 0 and %d, below max_demand", p.MaxDemand-1)
	case c.MaxInFlight < 1 || c.MaxInFlightBytes < 1:
		return errors.New("max_in_flight must be at least 1, in messages and in bytes")
	}
	return errors.Join(c.Producer.RateLimit.validate(), c.validateBatchers(), c.validateFailures())
}

func (c *Config) validateBatchers() error {
	names := map[string]bool{}
	for _, b := range c.Batchers {
		switch {
		case names[b.Name]:
			return fmt.Errorf("batcher %q is there twice", b.Name)
		case b.Concurrency < 1 || b.BatchSize < 1 || b.BatchBytes < 1 || b.MaxOpen < 1:
			return fmt.Errorf("batcher %q: concurrency, batch_size, batch_bytes and max_open must be at least 1", b.Name)
		case b.BatchTimeout <= 0 || b.SinkTimeout <= 0:
			return fmt.Errorf("batcher %q: batch_timeout and sink_timeout must be above 0", b.Name)
		case b.Sink == nil:
			return fmt.Errorf("batcher %q has no sink", b.Name)
		}
		names[b.Name] = true
	}
	return nil
}

func (c *Config) validateFailures() error {
	f := c.Failures
	halts := f.OnFailure == message.HaltPartition || f.Retry.Exhausted == message.HaltPartition
	switch {
	case c.Processors.PartitionBy == nil && (halts || f.Retry.KeepOrder):
		return errors.New("there is no partition to halt or keep in order: the processors have no partition_by")
	case f.Retry.Exhausted == message.Retry || f.Retry.Exhausted == message.Unlock:
		return errors.New("what is exhausted cannot be retried or unlocked")
	case f.OnFailure == message.Unlock && f.Retry.Exhausted == message.HaltPartition:
		return errors.New("what cannot be unlocked cannot halt its partition: others of it have been handled since")
	case f.Retry.MaxAttempts < 1 || f.Retry.Backoff <= 0 || f.Retry.MaxBackoff < f.Retry.Backoff:
		return errors.New("retry: max_attempts must be at least 1, and backoff above 0 and at most max_backoff")
	}
	return nil
}
