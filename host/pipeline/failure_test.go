package pipeline_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
)

// retryable is a failure that may go better.
func retryable() message.Patch {
	o := message.Failed(message.Handler, "not yet")
	o.Retryable = true
	return message.Patch{Outcome: o}
}

// diary notes what a handler saw: "2#1" is message 2 at its first attempt.
type diary struct {
	mu   sync.Mutex
	seen []string
}

func (j *diary) note(m *message.Message) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen = append(j.seen, m.ID+"#"+string(rune('0'+m.Attempt)))
}

func (j *diary) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.seen, " ")
}

// A retryable failure is tried again with the original message, after a wait
// that doubles, without holding up the others; then it is dead-lettered.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen diary
		var times []time.Duration
		began := time.Now()
		p := &plugin{message: func(m *message.Message) message.Patch {
			seen.note(m)
			if m.Data != nil || m.Batcher != message.DefaultBatcher || m.BatchKey != "" || m.Flush {
				t.Errorf("attempt %d begins with what is not the original: %+v", m.Attempt, m)
			}
			if number(m) == 2 {
				times = append(times, time.Since(began))
				m.Data = []byte("spoilt")
				return retryable()
			}
			return message.Patch{}
		}}
		config := shape(0, 10)
		config.Failures = pipeline.FailureConfig{
			OnFailure: message.Retry,
			Retry:     pipeline.RetryConfig{MaxAttempts: 4, Backoff: 100 * time.Millisecond, MaxBackoff: 200 * time.Millisecond},
		}
		in := newSource()
		r := start(t, config, in, p)
		in.push(1, 2, 3)
		time.Sleep(time.Second)
		r.balanced(0)
		if got := seen.String(); got != "1#1 2#1 3#1 2#2 2#3 2#4" {
			t.Errorf("handled %s", got)
		}
		for i, want := range []int64{0, 100, 200, 200} {
			wait := (times[i] - times[max(i-1, 0)]).Milliseconds()
			if wait < want*4/5 || wait > want*6/5 {
				t.Errorf("attempt %d came after %d ms, want %d and a fifth more or less", i+1, wait, want)
			}
		}
		if got := r.Books(); got.Settled[message.Handler] != 1 || got.DeadLettered != 1 || got.Dropped != 0 {
			t.Errorf("the books: %+v", got)
		}
		r.drain(p)
		if got := in.acked(); !cmp.Equal(got, [][]string{{"1", "3"}, {"2:handler"}}) {
			t.Errorf("acks: %v", got)
		}
	})
}

// A sink that fails is tried again with the whole of what failed.
func TestRetryOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := 2
		out := &sink{fail: func(*message.Batch) error {
			if fails--; fails >= 0 {
				return errBroken
			}
			return nil
		}}
		in, p := newSource(), &plugin{}
		config := shape(0, 10, batcher("default", 2, out))
		config.Failures.OnFailure = message.Retry
		r := start(t, config, in, p)
		in.push(1, 2)
		time.Sleep(5 * time.Second)
		r.balanced(0)
		r.drain(p)
		if got := r.Books().SettledOK(); got != 2 {
			t.Errorf("settled %d of 2: %+v", got, r.Books())
		}
	})
}

// What becomes of a message that fails is what the configuration says, unless
// its handler does.
func TestOnFailure(t *testing.T) {
	for _, c := range []struct {
		name        string
		config, own message.OnFailure
		dropped     int64
		letters     int64
	}{
		{"dead letter by default", message.AsConfigured, message.AsConfigured, 0, 1},
		{"drop", message.Drop, message.AsConfigured, 1, 0},
		{"the handler drops", message.DeadLetter, message.Drop, 1, 0},
		{"the handler keeps", message.Drop, message.DeadLetter, 0, 1},
		{"no partition to halt", message.DeadLetter, message.HaltPartition, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &plugin{message: func(*message.Message) message.Patch {
					return message.Patch{Outcome: message.Failed(message.Handler, "no"), OnFailure: c.own}
				}}
				config := shape(0, 10)
				config.Failures.OnFailure = c.config
				in := newSource()
				r := start(t, config, in, p)
				in.push(1)
				synctest.Wait()
				r.drain(p)
				if got := r.Books(); got.Dropped != c.dropped || got.DeadLettered != c.letters {
					t.Errorf("the books: %+v", got)
				}
			})
		})
	}
}

// A batch handler has its say about what becomes of its messages, if they fail
// by themselves or with the sink.
func TestOnFailureOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &sink{fail: func(*message.Batch) error { return errBroken }}
		p := &plugin{batch: func(b *message.Batch) message.BatchResult {
			r := echo(b)
			r.Outcomes[0] = message.Failed(message.Handler, "on purpose")
			r.Outcomes[0].Action, r.Outcomes[1].Action = message.Drop, message.Drop
			return r
		}}
		in := newSource()
		r := start(t, shape(0, 10, batcher("default", 3, out)), in, p)
		in.push(1, 2, 3)
		synctest.Wait()
		r.drain(p)
		if got := r.Books(); got.Dropped != 2 || got.DeadLettered != 1 {
			t.Errorf("the books: %+v", got)
		}
	})
}

// With order kept, the later messages of a partition wait while one is tried
// again, and the other partitions do not.
func TestKeepOrder(t *testing.T) {
	for name, prepare := range map[string]func([]*message.Message) []message.Patch{
		"plain": nil,
		"prepared": func(ms []*message.Message) []message.Patch {
			return make([]message.Patch, len(ms))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen diary
				p := &plugin{prepare: prepare, message: func(m *message.Message) message.Patch {
					seen.note(m)
					if number(m) == 1 && m.Attempt < 3 || number(m) == 3 && m.Attempt < 2 {
						return retryable()
					}
					return message.Patch{}
				}}
				config := shape(0, 3)
				config.Processors.PartitionBy = byParity
				config.Failures = pipeline.FailureConfig{OnFailure: message.Retry, Retry: pipeline.RetryConfig{KeepOrder: true}}
				in := newSource()
				r := start(t, config, in, p)
				in.push(numbers(1, 8)...)
				time.Sleep(5 * time.Second)
				r.balanced(0)
				if got := seen.String(); got != "1#1 2#1 4#1 6#1 8#1 1#2 1#3 3#1 3#2 5#1 7#1" {
					t.Errorf("handled %s", got)
				}
				r.drain(p)
			})
		})
	}
}

// Order is kept as well when it is a batch that failed, and those behind it are
// in batches already.
func TestKeepOrderOfBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := 1
		out := &sink{fail: func(*message.Batch) error {
			time.Sleep(time.Second)
			if fails--; fails >= 0 {
				return errBroken
			}
			return nil
		}}
		in, p := newSource(), &plugin{}
		config := shape(0, 10, batcher("default", 2, out))
		config.Processors.PartitionBy = byParity
		config.Batchers[0].PartitionBy = byParity
		config.Failures = pipeline.FailureConfig{OnFailure: message.Retry, Retry: pipeline.RetryConfig{KeepOrder: true}}
		r := start(t, config, in, p)
		in.push(1, 3, 5, 7, 9, 11)
		time.Sleep(20 * time.Second)
		r.balanced(0)
		r.drain(p)
		var got []string
		for _, batch := range out.delivered() {
			got = append(got, batch[strings.Index(batch, "["):])
		}
		if all := strings.Join(got, ""); strings.Join(strings.FieldsFunc(all, func(r rune) bool { return r == '[' || r == ']' || r == ' ' }), " ") != "1 3 5 7 9 11" {
			t.Errorf("delivered %v", got)
		}
	})
}

// A halted partition waits, whatever else goes on; it can be resumed; and a
// drain does not wait for it, but names what is in it.
// What came before the message that halts its partition is in a batch by then:
// it does not wait, and the drain ends at once whatever becomes of it.
func TestHaltBehindABatch(t *testing.T) {
	for _, c := range []struct {
		name      string
		batchFail bool
		unsettled []string
	}{
		{"the batch is ok", false, []string{"2", "3"}},
		{"the batch fails", true, []string{"1", "2", "3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &plugin{message: failing(message.Handler, 2), batch: func(b *message.Batch) message.BatchResult {
					if c.batchFail {
						return message.FailAll(len(b.Messages), message.Failed(message.Handler, "poison"))
					}
					return echo(b)
				}}
				b := batcher("default", 10, &sink{})
				b.BatchTimeout = time.Hour
				config := shape(0, 10, b)
				config.Processors.PartitionBy = &pipeline.Partition{Value: func(*message.Message) string { return "" }}
				config.Failures.OnFailure = message.HaltPartition
				in := newSource()
				in.push(1, 2, 3)
				in.end(io.EOF)
				began := time.Now()
				r := start(t, config, in, p)
				var unsettled *pipeline.UnsettledError
				if err := <-r.done; !errors.As(err, &unsettled) || time.Since(began) > 0 {
					t.Fatalf("after %v: %v", time.Since(began), err)
				}
				if !slices.Equal(slices.Sorted(slices.Values(unsettled.IDs)), c.unsettled) {
					t.Errorf("unsettled: %v", unsettled.IDs)
				}
			})
		})
	}
}

func TestHaltPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen diary
		broken := true
		p := &plugin{message: func(m *message.Message) message.Patch {
			seen.note(m)
			if n := number(m); n == 3 && broken || n == 7 {
				return message.Patch{Outcome: message.Failed(message.Handler, "poison")}
			}
			return message.Patch{}
		}}
		config := shape(0, 10)
		config.Processors.PartitionBy = byParity
		config.Failures.OnFailure = message.HaltPartition
		in := newSource()
		r := start(t, config, in, p)
		in.push(numbers(1, 6)...)
		time.Sleep(time.Minute)
		r.balanced(2) // 3 and 5
		if w := r.Waiting(); w.HaltedPartitions != 1 || w.HaltedMessages != 2 {
			t.Errorf("waiting: %+v", w)
		}
		broken = false
		if !r.Resume("uneven") || r.Resume("even") || r.Resume("nobody") {
			t.Error("resumed what was not halted, or not what was")
		}
		synctest.Wait()
		r.balanced(0)
		if got := seen.String(); got != "1#1 2#1 3#1 4#1 6#1 3#2 5#1" {
			t.Errorf("handled %s", got)
		}
		in.push(7, 8, 9)
		synctest.Wait()
		began := time.Now()
		r.cancel()
		err := <-r.done
		var unsettled *pipeline.UnsettledError
		if !errors.As(err, &unsettled) || !slices.Equal(unsettled.IDs, []string{"7", "9"}) || time.Since(began) > 0 {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// What came before the message that holds its partition does not wait behind
// it; and if it fails in its batch, it holds the partition in its place.
func TestEarlierThanHalted(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var seen diary
			broken := true
			p := &plugin{
				message: func(m *message.Message) message.Patch {
					seen.note(m)
					if number(m) == 3 && broken {
						return message.Patch{Outcome: message.Failed(message.Handler, "poison")}
					}
					return message.Patch{}
				},
				batch: func(b *message.Batch) message.BatchResult {
					if fails && broken {
						return message.FailAll(len(b.Messages), message.Failed(message.Handler, "on purpose"))
					}
					return echo(b)
				},
			}
			config := shape(0, 10, batcher("default", 10, &sink{}))
			config.Processors.PartitionBy = byParity
			config.Failures.OnFailure = message.HaltPartition
			in := newSource()
			r := start(t, config, in, p)
			in.push(1, 3, 5)
			time.Sleep(time.Minute)
			left := map[bool]int64{false: 2, true: 3}[fails]
			r.balanced(left)
			if w := r.Waiting(); w.HaltedPartitions != 1 || w.HaltedMessages != int(left) {
				t.Errorf("waiting: %+v", w)
			}
			broken = false
			r.Resume("uneven")
			time.Sleep(time.Minute)
			r.drain(p)
			if want := map[bool]string{false: "1#1 3#1 3#2 5#1", true: "1#1 3#1 1#2 3#1 5#1"}[fails]; seen.String() != want {
				t.Errorf("handled %s, want %s", seen.String(), want)
			}
		})
	}
}

// handle_failed sees what failed for good, before it is acknowledged, and the
// group's acknowledgement stays one.
func TestHandleFailed(t *testing.T) {
	for _, c := range []struct {
		name    string
		actions []message.OnFailure
		outcome message.Outcome
		dropped int64
	}{
		{name: "left as it is", actions: []message.OnFailure{0, 0}},
		{name: "one dropped", actions: []message.OnFailure{message.Drop, 0}, dropped: 1},
		{name: "it fails itself", actions: []message.OnFailure{0, 0}, outcome: message.Failed(message.Trap, "unreachable")},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var saw []string
				in := newSource()
				p := &plugin{
					batch: func(b *message.Batch) message.BatchResult {
						r := echo(b)
						r.Outcomes[1] = message.Failed(message.Handler, "on purpose")
						r.Outcomes[2] = message.Failed(message.Handler, "on purpose")
						return r
					},
					failed: func(fs []message.Failure) ([]message.OnFailure, message.Outcome) {
						for _, f := range fs {
							saw = append(saw, f.Message.ID+" "+f.Outcome.Reason)
						}
						if len(in.acked()) > 0 {
							t.Error("acknowledged before handle_failed")
						}
						return c.actions, c.outcome
					},
				}
				r := start(t, shape(0, 10, batcher("default", 4, &sink{})), in, p)
				in.push(numbers(1, 4)...)
				synctest.Wait()
				r.drain(p)
				if !slices.Equal(saw, []string{"2 on purpose", "3 on purpose"}) {
					t.Errorf("handle_failed saw %q", saw)
				}
				if got := in.acked(); !cmp.Equal(got, [][]string{{"1", "2:handler", "3:handler", "4"}}) {
					t.Errorf("acks: %v", got)
				}
				if got := r.Books().Dropped; got != c.dropped {
					t.Errorf("dropped %d, want %d", got, c.dropped)
				}
			})
		})
	}
}

// handle_failed may have a message tried again, as often as attempts allow.
func TestHandleFailedTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen diary
		p := &plugin{
			message: func(m *message.Message) message.Patch {
				seen.note(m)
				return message.Patch{Outcome: message.Failed(message.Trap, "unreachable")}
			},
			failed: func([]message.Failure) ([]message.OnFailure, message.Outcome) {
				return []message.OnFailure{message.Retry}, message.Outcome{}
			},
		}
		config := shape(0, 10)
		config.Failures.Retry.MaxAttempts = 3
		in := newSource()
		r := start(t, config, in, p)
		in.push(1)
		time.Sleep(time.Minute)
		r.drain(p)
		if got := seen.String(); got != "1#1 1#2 1#3" {
			t.Errorf("handled %s", got)
		}
	})
}

// What fails in prepare_messages fails its message; a call that fails whole
// fails the chunk, in order.
func TestPrepareMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &plugin{prepare: func(ms []*message.Message) []message.Patch {
			patches := make([]message.Patch, len(ms))
			for i, m := range ms {
				switch n := number(m); {
				case n == 2 || number(ms[0]) == 5:
					patches[i].Outcome = message.Failed(message.Handler, "not prepared")
				default:
					patches[i].Data = []byte("prepared")
				}
			}
			return patches
		}, message: func(m *message.Message) message.Patch {
			if string(m.Data) != "prepared" {
				t.Errorf("message %s is not prepared", m.ID)
			}
			return message.Patch{}
		}}
		in := newSource()
		r := start(t, shape(0, 4), in, p)
		in.push(numbers(1, 8)...)
		synctest.Wait()
		r.drain(p)
		want := [][]string{{"1", "2:handler", "3", "4"}, {"5:handler", "6:handler", "7:handler", "8:handler"}}
		if got := in.acked(); !cmp.Equal(got, want) {
			// What fails before the others are handled is settled before them.
			want[0] = []string{"2:handler", "1", "3", "4"}
			if !cmp.Equal(got, want) {
				t.Errorf("acks: %v", got)
			}
		}
	})
}

// A message that a handler makes several of settles once, when all of them
// have, and as the worst of them.
func TestOneToMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in := &sink{}, newSource()
		p := &plugin{
			message: func(m *message.Message) message.Patch {
				to := []string{"odd", "even", "odd"}
				if number(m) == 4 {
					to[1] = "nowhere"
				}
				var patch message.Patch
				for _, name := range to {
					patch.Outputs = append(patch.Outputs, message.Output{SetBatcher: true, Batcher: name, Data: []byte(name)})
				}
				return patch
			},
			batch: func(b *message.Batch) message.BatchResult {
				r := echo(b)
				for i, m := range b.Messages {
					if string(m.Data) != b.Batcher {
						t.Errorf("%s in %s", m.Data, b.Batcher)
					}
					if number(m) == 2 && b.Batcher == "even" {
						r.Outcomes[i] = message.Failed(message.Handler, "half of it")
					}
				}
				return r
			},
		}
		r := start(t, shape(0, 10, batcher("odd", 10, out), batcher("even", 1, out)), in, p)
		in.push(1, 2, 3, 4)
		synctest.Wait()
		r.balanced(3)
		if got := in.acked(); !cmp.Equal(got, [][]string{{"4:routing"}}) {
			t.Errorf("acks before the last of each has ended: %v", got)
		}
		r.drain(p)
		if got := in.acked(); !cmp.Equal(got, [][]string{{"4:routing"}, {"1", "2:handler", "3"}}) {
			t.Errorf("acks: %v", got)
		}
		if got := out.delivered(); !slices.Contains(got, "odd/ flush [1 1 2 2 3 3]") {
			t.Errorf("batches: %v", got)
		}
	})
}

// A fixed window lets so many through, and what it leaves is not carried over.
func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, p := newSource(), &plugin{}
		config := shape(0, 10)
		config.Producer.RateLimit = pipeline.RateLimit{Messages: 2, Interval: 50 * time.Millisecond}
		config.Producer.Concurrency = 2
		r := start(t, config, in, p)
		settled := func(want int64) {
			t.Helper()
			synctest.Wait()
			if got := r.Books().SettledOK(); got != want {
				t.Errorf("%d settled, want %d", got, want)
			}
		}
		in.push(numbers(1, 5)...)
		settled(2)
		for _, want := range []int64{4, 5, 5} {
			time.Sleep(50 * time.Millisecond)
			settled(want)
		}
		in.push(numbers(6, 100)...)
		settled(7)
		if err := r.SetRateLimit(pipeline.RateLimit{Messages: 10, Interval: time.Second}, false); err != nil {
			t.Error(err)
		}
		settled(7)
		time.Sleep(50 * time.Millisecond)
		settled(17)
		if err := r.SetRateLimit(pipeline.RateLimit{Messages: 1, Interval: time.Second}, true); err != nil {
			t.Error(err)
		}
		settled(18)
		if err := r.SetRateLimit(pipeline.RateLimit{Messages: 1}, true); err == nil {
			t.Error("half a limit is accepted")
		}
		if err := r.SetRateLimit(pipeline.RateLimit{}, true); err != nil {
			t.Error(err)
		}
		settled(100)
		r.drain(p)
	})
}
