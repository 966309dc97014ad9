package eventrelay_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	source "github.com/relayhost/relayhost/host/source/eventrelay"

	"github.com/relayhost/relayhost/host/message"
)

// drain pulls until there is nothing for a poll.
func drain(t *testing.T, s *source.LogSource) (found []int) {
	t.Helper()
	for {
		messages, err := s.Pull(t.Context(), after(time.Second), 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(messages) == 0 {
			return found
		}
		found = append(found, positions(messages)...)
		s.Settle(messages)
	}
}

func TestLogStarts(t *testing.T) {
	for name, c := range map[string]struct {
		start source.Start
		want  []int
		floor int64
	}{
		"earliest": {source.Start{}, []int{5, 6, 7, 8}, 0},
		"latest":   {source.Start{Latest: true}, []int{8}, 7},
		"offset":   {source.Start{Offset: 6}, []int{6, 7, 8}, 5},
		"time":     {source.Start{Time: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}, []int{5, 6, 7, 8}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, m := &topic{}, newMemory()
				for o := 5; o < 8; o++ {
					p.add(o, time.Now())
				}
				o := source.LogOptions{Topic: "users", Start: c.start, Memory: m}
				first := source.NewLog(p, o)
				go func() {
					time.Sleep(500 * time.Millisecond)
					p.add(8, time.Now())
				}()
				// Stopped before it handed anything out, as a crash would.
				if _, err := first.Pull(t.Context(), after(time.Millisecond), 1); err != nil {
					t.Fatal(err)
				}
				if floor, ok := m.Floor(); !ok || floor != c.floor {
					t.Errorf("floor %d, %v", floor, ok)
				}
				time.Sleep(time.Second)
				if got := drain(t, source.NewLog(p, o)); !slices.Equal(got, c.want) {
					t.Errorf("%v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestLogLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &topic{}
		for o := 1; o <= 30; o++ {
			p.add(o, time.Now())
		}
		s := source.NewLog(p, source.LogOptions{Topic: "users"})
		if _, known := s.Lag(); known {
			t.Error("a lag before the first page")
		}
		got, err := s.Pull(t.Context(), nil, 10)
		if lag, known := s.Lag(); err != nil || len(got) != 10 || lag != 20 || !known || s.Cursor() != 10 || s.Floor() != 0 {
			t.Errorf("%d events, %v; lag %d, %v; cursor %d, floor %d", len(got), err, lag, known, s.Cursor(), s.Floor())
		}
	})
}

// The floor rises when the look-back is over, but not above what is unsettled.
func TestLogRaisesTheFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, m := &topic{}, newMemory()
		for o := 1; o <= 10; o++ {
			p.add(o, time.Now())
		}
		s := source.NewLog(p, source.LogOptions{Topic: "users", Memory: m})
		got, err := s.Pull(t.Context(), nil, 10)
		if err != nil || len(got) != 10 {
			t.Fatalf("%d events, %v", len(got), err)
		}
		m.append(got[:9]) // the last one is lost in a crash
		for _, c := range []struct {
			after   time.Duration
			settled int
			want    int64
		}{{time.Minute, 7, 0}, {10 * time.Minute, 7, 7}, {time.Minute, 9, 9}, {time.Minute, 10, 10}} {
			time.Sleep(c.after)
			m.settle(got[:c.settled])
			s.Settle(got[:c.settled])
			time.Sleep(time.Second)
			drain(t, s)
			if floor, _ := m.Floor(); floor != c.want || s.Floor() != c.want {
				t.Errorf("%d settled: floor %d and %d, want %d", c.settled, floor, s.Floor(), c.want)
			}
		}
	})
}

// An event that comes late is there at the next poll, for a few requests.
func TestLogFindsLateEventsSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &topic{}
		for o := 1; o <= 20_000; o++ {
			if due := time.Now(); o == 777 {
				p.add(o, due.Add(time.Minute))
			} else {
				p.add(o, due)
			}
		}
		s := source.NewLog(p, source.LogOptions{Topic: "users"})
		if got := drain(t, s); len(got) != 19_999 {
			t.Fatalf("%d events", len(got))
		}
		time.Sleep(2 * time.Minute)
		before := len(p.asked)
		if got := drain(t, s); !slices.Equal(got, []int{777}) {
			t.Errorf("%v", got)
		}
		if n := len(p.asked) - before; n > 20 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestLogSaysThatTheLookBackIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, log := &topic{}, newLogbook(t)
		s := source.NewLog(p, source.LogOptions{Topic: "users", Lookback: source.Lookback{Events: 100}, Logger: log.logger()})
		for o := range 5000 {
			p.add(o+1, time.Now().Add(time.Duration(o)*10*time.Millisecond))
		}
		for range 60 {
			drain(t, s)
			time.Sleep(time.Second)
		}
		if n := len(log.lines("lookback.events")); n != 1 || s.Floor() < 4800 {
			t.Errorf("said %d times, floor %d", n, s.Floor())
		}
	})
}

func TestLogRefusesAnIgnoredQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &topic{ignores: true}
		s := source.NewLog(p, source.LogOptions{Topic: "users", Query: "x"})
		if got, err := s.Pull(t.Context(), after(time.Second), 1); err != nil || len(got) != 0 {
			t.Fatalf("%v, %v", got, err)
		}
		p.add(1, time.Now()) // only now it shows
		_, err := s.Pull(t.Context(), nil, 1)
		if !errors.Is(err, source.ErrQueryIgnored) || !strings.Contains(err.Error(), "\nhint: ") {
			t.Error(err)
		}
	})
}

func TestLogOverTheWire(t *testing.T) {
	r, log := newRelay(t), newLogbook(t)
	conn := r.lossy(func() bool { return false })
	all := published(r.publish(900))
	count := tally{seen: make(map[string]int)}
	var sources []*source.LogSource
	for i := range 3 {
		sources = append(sources, source.NewLog(conn, source.LogOptions{
			Topic: "users", Query: "data.n >= 0 or data.n == 7", Shard: source.Shard{Index: i + 1, Count: 3}, Logger: log.logger(),
			ShardBy: func(m *message.Message) string { return m.ID }, PullInterval: 10 * time.Millisecond,
		}))
	}
	stop := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	for _, s := range append(sources, sources...) {
		wg.Go(func() {
			for {
				messages, err := s.Pull(t.Context(), stop, 100)
				if err != nil {
					t.Error(err)
				}
				if count.add(messages) == len(all) {
					once.Do(func() { close(stop) })
				}
				if len(messages) == 0 {
					return
				}
			}
		})
	}
	wg.Wait()
	for id, n := range count.seen {
		if n != 1 {
			t.Errorf("event %s came %d times", id, n)
		}
	}
}

func TestLogBlamesTheQuery(t *testing.T) {
	r, log := newRelay(t), newLogbook(t)
	s := source.NewLog(r.lossy(func() bool { return false }), source.LogOptions{Topic: "users", Query: "nme == 'x'", Logger: log.logger()})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := s.Pull(t.Context(), stop, 1); err != nil {
			t.Error(err)
		}
	})
	log.await("does it name a field that events have")
	close(stop)
	wg.Wait()
}

// The shards of these values never change.
func TestShard(t *testing.T) {
	var got []int
	for _, value := range []string{"", "a", "b", "user-1", "user-2", "user-3", "é"} {
		for i := 1; i <= 5; i++ {
			if (source.Shard{Index: i, Count: 5}).Has(value) {
				got = append(got, i)
			}
		}
	}
	if want := []int{2, 3, 4, 2, 1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("shards %v, want %v", got, want)
	}
	if !(source.Shard{}).Has("x") || !(source.Shard{Index: 1, Count: 1}).Has("x") {
		t.Error("one shard does not have all")
	}
}

func TestShardsAreEven(t *testing.T) {
	const values, shards = 30_000, 6
	counts := make([]int, shards)
	for v := range values {
		for i := range counts {
			if (source.Shard{Index: i + 1, Count: shards}).Has(fmt.Sprint("user-", v)) {
				counts[i]++
			}
		}
	}
	for _, n := range counts {
		if math.Abs(float64(n)-values/shards) > values/shards/10 {
			t.Errorf("shards of %v", counts)
		}
	}
}
