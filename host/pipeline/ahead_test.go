package pipeline_test

import (
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
)

// working handles each message for so long.
func working(d time.Duration) *plugin {
	return &plugin{message: func(*message.Message) message.Patch {
		time.Sleep(d)
		return message.Patch{}
	}}
}

// distant is a source with so many messages, of which each pull takes so long.
func distant(messages int, took time.Duration) *source {
	in := newSource()
	in.took = took
	in.push(numbers(1, messages)...)
	return in
}

// allSettled checks that each message that was pulled has settled, once.
func allSettled(t *testing.T, r *running, in *source) {
	t.Helper()
	seen := map[string]int{}
	for _, call := range in.acked() {
		for _, id := range call {
			if seen[id]++; seen[id] > 1 {
				t.Errorf("message %s settled twice", id)
			}
		}
	}
	if b := r.Books(); len(seen) != in.pulled() || b.Received != int64(in.pulled()) {
		t.Errorf("%d of %d have settled, received %d", len(seen), in.pulled(), b.Received)
	}
}

// A pull takes as long as 100 messages do, and a little of them is asked for at a
// time: the processors work all the same, once that is known.
func TestPullsAreHiddenBehindTheWork(t *testing.T) {
	for name, set := range map[string]func(*pipeline.Config){
		"one at a time":    func(c *pipeline.Config) { c.Processors.MaxDemand, c.Processors.MinDemand = 1, 0 },
		"a few at a time":  func(*pipeline.Config) {},
		"three producers":  func(c *pipeline.Config) { c.Producer.Concurrency = 3 },
		"with a journal":   func(c *pipeline.Config) { c.Journal = newJournal() },
		"two processors":   func(c *pipeline.Config) { c.Processors.Concurrency = 2 },
		"partitions":       func(c *pipeline.Config) { c.Processors.PartitionBy = byLastDigit },
		"many in a demand": func(c *pipeline.Config) { c.Processors.MaxDemand, c.Processors.MinDemand = 1000, 500 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, p := distant(40_000, 10*time.Millisecond), working(100*time.Microsecond)
				c := shape(5, 10)
				set(&c)
				r := start(t, c, in, p)
				time.Sleep(time.Second)
				before := r.Books().SettledOK()
				time.Sleep(time.Second)
				least := int64(9500 * c.Processors.Concurrency)
				if got := r.Books().SettledOK() - before; got < least {
					t.Errorf("%d a second, of %d that the processors can do", got, 10_000*c.Processors.Concurrency)
				}
				if got := r.Books().InFlight; got > 1500+2*least/10 {
					t.Errorf("%d in flight", got)
				}
				r.drain(p)
				allSettled(t, r, in)
			})
		})
	}
}

// What another host could have is not locked away: nothing is ahead that is not
// used in a moment.
func TestASlowPipelineDoesNotPullAhead(t *testing.T) {
	for name, test := range map[string]struct {
		pull, work time.Duration
		most       int
	}{
		"quick pulls":    {pull: time.Millisecond, work: 100 * time.Millisecond, most: 10},
		"slower pulls":   {pull: 50 * time.Millisecond, work: 100 * time.Millisecond, most: 10 + 2},
		"long pulls":     {pull: time.Second, work: 10 * time.Millisecond, most: 10 + 75},
		"endless pulls":  {pull: 10 * time.Second, work: 10 * time.Millisecond, most: 10 + 75},
		"instant pulls":  {pull: 0, work: time.Microsecond, most: 10},
		"a hung handler": {pull: time.Millisecond, work: time.Hour, most: 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := distant(10_000, test.pull)
				c := shape(5, 10)
				c.Shutdown = 24 * time.Hour
				p := working(test.work)
				r := start(t, c, in, p)
				for range 1000 {
					time.Sleep(170 * time.Millisecond)
					if n := in.pulled() - int(r.Books().SettledTotal()); n > test.most {
						t.Fatalf("%d are locked", n)
					}
				}
				r.drain(p)
				allSettled(t, r, in)
			})
		})
	}
}

// A source that has no more is asked for little again.
func TestWhatIsPulledAheadShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, p := distant(5000, 10*time.Millisecond), working(100*time.Microsecond)
		r := start(t, shape(5, 10), in, p)
		time.Sleep(10 * time.Second)
		most := slices.Max(in.requests())
		for n := range 20 {
			in.push(n)
			time.Sleep(time.Second)
		}
		asked := in.requests()
		if last := asked[len(asked)-1]; most < 100 || last > 11 {
			t.Errorf("asked for %d at most, and for %d in the end", most, last)
		}
		r.drain(p)
	})
}

// A drain handles what is held and what the pull in flight brings.
func TestADrainHandlesWhatWasPulledAhead(t *testing.T) {
	for name, j := range map[string]func() pipeline.Journal{
		"without a journal": func() pipeline.Journal { return nil },
		"with a journal":    func() pipeline.Journal { return newJournal() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, in, p := &sink{}, distant(100_000, 10*time.Millisecond), working(100*time.Microsecond)
				c := shape(5, 10, batcher("default", 7, out))
				c.Journal = j()
				r := start(t, c, in, p)
				time.Sleep(time.Second + 3*time.Millisecond)
				if held := r.Books().InFlight; held < 50 {
					t.Errorf("%d in flight: nothing is ahead", held)
				}
				r.drain(p)
				allSettled(t, r, in)
			})
		})
	}
}

// What was pulled ahead and cannot be handled before the deadline is named, so
// that nothing is lost without a word.
func TestTheDrainsDeadlineNamesWhatWasPulledAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		in, p := distant(100_000, 10*time.Millisecond), &plugin{message: func(m *message.Message) message.Patch {
			if time.Sleep(100 * time.Microsecond); number(m) == 5000 {
				<-hang
			}
			return message.Patch{}
		}}
		c := shape(5, 10)
		c.Shutdown, c.Journal = time.Second, newJournal()
		r := start(t, c, in, p)
		time.Sleep(time.Minute)
		r.cancel()
		err := <-r.done
		var unsettled *pipeline.UnsettledError
		if !errors.As(err, &unsettled) || len(unsettled.IDs) != in.pulled()-int(r.Books().SettledTotal()) {
			t.Errorf("run: %v, with %d pulled and %d settled", err, in.pulled(), r.Books().SettledTotal())
		}
		r.balanced(int64(len(unsettled.IDs)))
		close(hang)
	})
}

// What a pull brings after the deadline is named as well.
func TestAPullThatOutlivesTheDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, p := distant(100, 500*time.Millisecond), &plugin{}
		c := shape(5, 10)
		c.Shutdown, c.Journal = 100*time.Millisecond, newJournal()
		r := start(t, c, in, p)
		r.cancel()
		err := <-r.done
		var unsettled *pipeline.UnsettledError
		if !errors.As(err, &unsettled) || len(unsettled.IDs) != in.pulled() || in.pulled() != 10 {
			t.Errorf("run: %v, with %d pulled", err, in.pulled())
		}
		r.balanced(10)
	})
}

// A few large pulls cost less than many small ones.
func TestAPullAheadBeginsWhenHalfIsUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, p := distant(100_000, time.Millisecond), working(100*time.Microsecond)
		r := start(t, shape(5, 10), in, p)
		time.Sleep(time.Second)
		pulls, before := len(in.requests()), in.pulled()
		time.Sleep(time.Second)
		if mean := (in.pulled() - before) / (len(in.requests()) - pulls); mean < 15 {
			t.Errorf("a pull brings %d, and the pipeline uses 10 in its time", mean)
		}
		r.drain(p)
	})
}

// A pull that fails while others are on their way into the journal, and held.
func TestASourceThatEndsWithMessagesAhead(t *testing.T) {
	for name, ended := range map[string]error{"exhausted": io.EOF, "broken": errBroken} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, p := distant(5000, time.Millisecond), working(100*time.Microsecond)
				in.end(ended)
				c := shape(5, 10, batcher("default", 7, &sink{}))
				c.Journal, c.Producer.Concurrency = newJournal(), 2
				r := start(t, c, in, p)
				if err := <-r.done; errors.Is(err, errBroken) != (ended == errBroken) {
					t.Errorf("run: %v", err)
				}
				r.balanced(0)
				if allSettled(t, r, in); in.pulled() != 5000 {
					t.Errorf("pulled %d", in.pulled())
				}
			})
		})
	}
}

func TestWhatIsPulledAheadIsWithinTheBounds(t *testing.T) {
	for name, set := range map[string]func(*pipeline.Config){
		"messages": func(c *pipeline.Config) { c.MaxInFlight = 37 },
		"bytes":    func(c *pipeline.Config) { c.MaxInFlightBytes = 200 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, p := distant(20_000, 2*time.Millisecond), working(100*time.Microsecond)
				c := shape(5, 10)
				set(&c)
				c = c.WithDefaults()
				r := start(t, c, in, p)
				for range 1000 {
					time.Sleep(777 * time.Microsecond)
					// The demand itself may go beyond the bytes, by a pull.
					if b := r.Books(); b.InFlight > int64(c.MaxInFlight) || b.Bytes > c.MaxInFlightBytes+50 {
						t.Fatalf("%d with %d bytes are in flight", b.InFlight, b.Bytes)
					}
				}
				r.drain(p)
				allSettled(t, r, in)
			})
		})
	}
}

// A limit counts what is pulled, be it ahead or not.
func TestARateLimitHoldsForWhatIsPulledAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, p := distant(20_000, 10*time.Millisecond), working(100*time.Microsecond)
		c := shape(5, 10)
		c.Producer.RateLimit = pipeline.RateLimit{Messages: 200, Interval: time.Second}
		c.Producer.Concurrency = 2
		r := start(t, c, in, p)
		for window := 1; window <= 5; window++ {
			time.Sleep(time.Second - time.Millisecond)
			if in.pulled() != 200*window {
				t.Errorf("pulled %d in %d windows", in.pulled(), window)
			}
			time.Sleep(time.Millisecond)
		}
		r.drain(p)
		allSettled(t, r, in)
	})
}

// The next pull does not wait for the disk, what comes while the disk works goes
// to it together, and nothing is handled before it is safe.
func TestTheJournalOverlapsThePulls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, j := distant(100_000, time.Millisecond), newJournal()
		j.took = 10 * time.Millisecond
		p := &plugin{message: func(m *message.Message) message.Patch {
			if time.Sleep(100 * time.Microsecond); !j.has(m.ID) {
				t.Errorf("message %s is handled and not in the journal", m.ID)
			}
			return message.Patch{}
		}}
		c := shape(5, 10)
		c.Journal = j
		r := start(t, c, in, p)
		time.Sleep(time.Second)
		before := r.Books().SettledOK()
		time.Sleep(time.Second)
		if got := r.Books().SettledOK() - before; got < 9500 {
			t.Errorf("%d a second, of 10000 that the processor can do", got)
		}
		r.drain(p)
		if allSettled(t, r, in); len(j.kept) != 0 || len(j.settled) != in.pulled() {
			t.Errorf("the journal keeps %d and settled %d of %d", len(j.kept), len(j.settled), in.pulled())
		}
	})
}

// A disk that hangs ends what is pulled: there is no room for more, in messages or
// in bytes, of which one pull may go beyond.
func TestADiskThatHangsEndsThePulls(t *testing.T) {
	for name, set := range map[string]func(*pipeline.Config){
		"messages": func(c *pipeline.Config) { c.MaxInFlight = 500 },
		"bytes":    func(c *pipeline.Config) { c.MaxInFlightBytes = 2000 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, j, p := distant(100_000, time.Millisecond), newJournal(), working(100*time.Microsecond)
				c := shape(5, 10)
				c.Journal, c.Producer.Concurrency = j, 2
				set(&c)
				r := start(t, c, in, p)
				time.Sleep(time.Second)
				hung := make(chan struct{})
				j.mu.Lock()
				j.hung = hung
				j.mu.Unlock()
				time.Sleep(time.Hour)
				if n := in.pulled() - int(r.Books().SettledTotal()); n > 550 {
					t.Errorf("%d are pulled and not settled", n)
				}
				close(hung)
				time.Sleep(time.Second)
				r.drain(p)
				allSettled(t, r, in)
			})
		})
	}
}

// A partition that is halted does not keep the others from what is ahead, and its
// own messages are named in the end.
func TestAHaltedPartitionBesideWhatIsPulledAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, p := distant(40_000, 10*time.Millisecond), &plugin{message: func(m *message.Message) (patch message.Patch) {
			if time.Sleep(100 * time.Microsecond); number(m) == 7 {
				patch.Outcome = message.Failed(message.Handler, "on purpose")
			}
			return patch
		}}
		c := shape(5, 10)
		c.Processors.PartitionBy, c.Failures.OnFailure = byLastDigit, message.HaltPartition
		r := start(t, c, in, p)
		time.Sleep(time.Second)
		before := r.Books().SettledOK()
		time.Sleep(time.Second)
		if got := r.Books().SettledOK() - before; got < 9500 {
			t.Errorf("%d a second beside a halted partition", got)
		}
		r.cancel()
		err := <-r.done
		var unsettled *pipeline.UnsettledError
		if !errors.As(err, &unsettled) || !unsettled.Halted || unsettled.IDs[0] != "7" {
			t.Fatalf("run: %v", err)
		}
		if n := len(unsettled.IDs); n+int(r.Books().SettledTotal()) != in.pulled() {
			t.Errorf("%d unsettled of %d, books %+v", n, in.pulled(), r.Books())
		}
	})
}
