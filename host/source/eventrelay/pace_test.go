package eventrelay_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	source "github.com/relayhost/relayhost/host/source/eventrelay"
)

// after closes a channel when d has passed.
func after(d time.Duration) <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(d, func() { close(c) })
	return c
}

func TestPullPollsAnEmptyQueueGently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(context.Context, int, int) ([]byte, error) { return nil, nil })
		if got := mustPull(t, f.source(newLogbook(t)), after(12*time.Second), 10); len(got) != 0 {
			t.Errorf("%d messages", len(got))
		}
		if want := []time.Duration{0, 5 * time.Second, 10 * time.Second}; !slices.Equal(f.at, want) {
			t.Errorf("calls at %v, want %v", f.at, want)
		}
		if waited := time.Since(f.start); waited != 12*time.Second {
			t.Errorf("stop was heard after %v", waited)
		}
	})
}

func TestPullPullsAtOnceAfterAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(_ context.Context, call, _ int) ([]byte, error) {
			if call == 2 {
				return nil, nil
			}
			return reply(call), nil
		})
		s := f.source(newLogbook(t))
		for range 3 {
			if got := mustPull(t, s, nil, 10); len(got) != 1 {
				t.Fatalf("%d messages", len(got))
			}
		}
		if want := []time.Duration{0, 0, 0, 5 * time.Second}; !slices.Equal(f.at, want) {
			t.Errorf("calls at %v, want %v", f.at, want)
		}
	})
}

func TestPullHearsStopAndCancelWhileItWaits(t *testing.T) {
	fails := func(context.Context, int, int) ([]byte, error) { return nil, errAnswer }
	empty := func(context.Context, int, int) ([]byte, error) { return nil, nil }
	for name, answer := range map[string]func(context.Context, int, int) ([]byte, error){"empty": empty, "failing": fails} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(answer)
				got, err := f.source(newLogbook(t)).Pull(t.Context(), after(time.Millisecond), 10)
				if got != nil || err != nil || time.Since(f.start) != time.Millisecond {
					t.Errorf("stopped: %v, %v after %v", got, err, time.Since(f.start))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				f = newFake(answer)
				got, err = f.source(newLogbook(t)).Pull(ctx, nil, 10)
				if got != nil || !errors.Is(err, context.DeadlineExceeded) || time.Since(f.start) != time.Millisecond {
					t.Errorf("cancelled: %v, %v after %v", got, err, time.Since(f.start))
				}
			})
		})
	}
}

func TestPullAsksNothingWhenStopped(t *testing.T) {
	f := newFake(func(context.Context, int, int) ([]byte, error) { return reply(1), nil })
	s := f.source(newLogbook(t))
	stop := make(chan struct{})
	close(stop)
	if got := mustPull(t, s, stop, 10); len(got) != 0 || len(f.at) != 0 {
		t.Errorf("%d messages in %d calls", len(got), len(f.at))
	}
	if got := mustPull(t, s, nil, 0); len(got) != 0 || len(f.at) != 0 {
		t.Errorf("for 0: %d messages in %d calls", len(got), len(f.at))
	}
}

func TestPullLetsARequestInFlightFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(ctx context.Context, _, _ int) ([]byte, error) {
			if _, limited := ctx.Deadline(); limited {
				t.Error("the request has a deadline")
			}
			select {
			case <-time.After(time.Hour):
				return reply(1, 2, 3), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		if got := mustPull(t, f.source(newLogbook(t)), after(time.Second), 10); len(got) != 3 {
			t.Errorf("%d messages", len(got))
		}
	})
}

func TestPullTimeoutIsTheUsersOwnRisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogbook(t)
		f := newFake(func(ctx context.Context, call, _ int) ([]byte, error) {
			if call == 1 {
				return reply(1), nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		})
		s := source.New(f, source.Options{DestinationID: "d1", PullTimeout: time.Minute, Logger: log.logger()})
		if got := log.lines("level=WARN"); len(got) != 1 {
			t.Errorf("warnings: %q", got)
		}
		if got := mustPull(t, s, nil, 10); len(got) != 1 || f.at[1] < time.Minute {
			t.Errorf("%d messages, calls at %v", len(got), f.at)
		}
	})
}

func TestPullSplitsWhatAFullQueueGives(t *testing.T) {
	for _, test := range []struct {
		n     int
		first int
		next  []int
	}{
		{10, 10, []int{10}},
		{1000, 1000, []int{1000}},
		{1500, 1000, []int{750, 750}},
		{4000, 1000, []int{1000, 1000, 1000, 1000}},
		{3001, 1000, []int{750, 750, 750, 751}},
		{50000, 1000, []int{1000, 1000, 1000, 1000}},
	} {
		var given atomic.Int64
		f := newFake(func(_ context.Context, _, size int) ([]byte, error) {
			return reply(count(int(given.Add(int64(size)))-size, size)...), nil
		})
		s := f.source(newLogbook(t))
		first, next := mustPull(t, s, nil, test.n), mustPull(t, s, nil, test.n)
		slices.Sort(f.sizes[1:])
		if f.sizes[0] != test.first || !slices.Equal(f.sizes[1:], test.next) {
			t.Errorf("%d: requests of %v, want %d, then %v", test.n, f.sizes, test.first, test.next)
		}
		if got := positions(append(first, next...)); !slices.Equal(got, count(0, len(got))) {
			t.Errorf("%d: messages are not in order, or not each once", test.n)
		}
	}
}

func TestPullSplitsNoMoreOnceTheQueueIsDrained(t *testing.T) {
	f := newFake(func(_ context.Context, call, size int) ([]byte, error) {
		if call > 0 {
			size--
		}
		return reply(count(1, size)...), nil
	})
	s := f.source(newLogbook(t))
	for range 3 {
		mustPull(t, s, nil, 2000)
	}
	if want := []int{1000, 1000, 1000, 1000}; !slices.Equal(f.sizes, want) {
		t.Errorf("requests of %v, want %v", f.sizes, want)
	}
}

func TestPullKeepsWhatTheOthersBrought(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogbook(t)
		f := newFake(func(_ context.Context, call, size int) ([]byte, error) {
			if call == 2 {
				return nil, errAnswer
			}
			return reply(count(1000*call, size)...), nil
		})
		s := f.source(log)
		mustPull(t, s, nil, 4000)
		if got := mustPull(t, s, nil, 4000); len(got) != 3000 {
			t.Errorf("%d messages beside a failure", len(got))
		}
		if len(log.lines("cannot pull events")) != 1 || time.Since(f.start) != 0 {
			t.Errorf("after %v the log is %q", time.Since(f.start), log.lines(""))
		}
		mustPull(t, s, nil, 4000)
		if pause := f.at[5]; pause < 50*time.Millisecond || pause > 150*time.Millisecond {
			t.Errorf("the next request came after %v", pause)
		}
		if len(log.lines("pulling events again")) != 1 {
			t.Errorf("the log is %q", log.lines(""))
		}
	})
}

func TestPullersShareOnePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(context.Context, int, int) ([]byte, error) {
			time.Sleep(time.Millisecond)
			return nil, errAnswer
		})
		s := f.source(newLogbook(t))
		stop := after(160 * time.Millisecond)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { mustPull(t, s, stop, 10) })
		}
		wg.Wait()
		if len(f.at) < 16 || f.at[8] < 50*time.Millisecond || f.at[8] > 152*time.Millisecond {
			t.Errorf("calls at %v", f.at)
		}
	})
}
