package eventrelay_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	source "github.com/relayhost/relayhost/host/source/eventrelay"
)

var (
	errInside  = status.Error(codes.Unknown, "Internal Server Error")
	errUnknown = status.Error(codes.Unauthenticated, "Invalid credentials")
)

// failFor answers with err until d has passed, then with an event.
func failFor(d time.Duration, err error) *fake {
	f := newFake(nil)
	f.answer = func(context.Context, int, int) ([]byte, error) {
		if time.Since(f.start) < d {
			return nil, err
		}
		return reply(1), nil
	}
	return f
}

func TestTroubleBacksOff(t *testing.T) {
	for name, test := range map[string]struct {
		interval, longest time.Duration
	}{
		"default interval": {0, 5 * time.Second},
		"short interval":   {time.Millisecond, 3 * time.Second},
		"long interval":    {time.Hour, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := failFor(time.Hour, errInside)
				s := source.New(f, source.Options{
					DestinationID: "d1", PullInterval: test.interval, Logger: newLogbook(t).logger(),
				})
				mustPull(t, s, nil, 10)
				wait := 100 * time.Millisecond
				for i := 1; i < len(f.at); i++ {
					between(t, f.at[i]-f.at[i-1], wait/2, wait*3/2)
					wait = min(2*wait, test.longest)
				}
				if wait != test.longest {
					t.Errorf("the pause grew to %v only", wait)
				}
			})
		})
	}
}

func between(t *testing.T, got, low, high time.Duration) {
	t.Helper()
	if got < low || got > high+time.Microsecond {
		t.Errorf("pause of %v, want %v to %v", got, low, high)
	}
}

func TestTroubleIsLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogbook(t)
		f := failFor(10*time.Minute, errInside)
		mustPull(t, f.source(log), nil, 10)
		warnings, ends := log.lines("level=WARN"), log.lines("level=INFO")
		if len(warnings) < 9 || len(warnings) > 11 || len(ends) != 1 {
			t.Fatalf("log = %q", log.lines(""))
		}
		for _, want := range []string{"destination_id=d1", `cause="the server failed inside"`, "destination id", "failures=1 "} {
			if !strings.Contains(warnings[0], want) {
				t.Errorf("first line %q, want %q in it", warnings[0], want)
			}
		}
		if !strings.Contains(ends[0], "pulling events again") || !strings.Contains(ends[0], "after=10m") {
			t.Errorf("last line %q", ends[0])
		}
	})
}

func TestTroubleIsLoggedWhenItsCauseChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogbook(t)
		f := newFake(func(_ context.Context, call, _ int) ([]byte, error) {
			return reply(1), []error{errInside, errInside, errUnknown, errUnknown, nil}[call]
		})
		mustPull(t, f.source(log), nil, 10)
		if got := log.lines("level=WARN"); len(got) != 2 || !strings.Contains(got[1], "unknown to the server, or revoked") {
			t.Errorf("log = %q", got)
		}
	})
}

func TestTroubleNowAndThenDoesNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogbook(t)
		f := newFake(func(_ context.Context, call, _ int) ([]byte, error) {
			if call%2 == 0 {
				return nil, errInside
			}
			return reply(call), nil
		})
		s := f.source(log)
		for range 200 {
			mustPull(t, s, nil, 10)
		}
		if spent := time.Since(f.start); spent > 35*time.Second || len(log.lines("")) != 2 {
			t.Errorf("after %v the log is %q", spent, log.lines(""))
		}
	})
}

func TestCancellingIsNoTrouble(t *testing.T) {
	log := newLogbook(t)
	ctx, cancel := context.WithCancel(t.Context())
	f := newFake(func(ctx context.Context, _, _ int) ([]byte, error) {
		cancel()
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	})
	got, err := f.source(log).Pull(ctx, nil, 10)
	if got != nil || !errors.Is(err, context.Canceled) || len(log.lines("")) != 0 {
		t.Errorf("%v, %v, log %q", got, err, log.lines(""))
	}
}

func TestSettleDoesNothing(t *testing.T) {
	f := newFake(func(context.Context, int, int) ([]byte, error) { return reply(1), nil })
	s := f.source(newLogbook(t))
	s.Settle(mustPull(t, s, nil, 1))
	if !slices.Equal(f.sizes, []int{1}) {
		t.Errorf("requests of %v", f.sizes)
	}
}
