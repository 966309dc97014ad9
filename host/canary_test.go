package host_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/control"
)

// canary is a rollout; what is said about latency is for the test of that alone.
func canary(more string) string {
	return "[pipeline.plugin.rollout]\nmode = \"canary\"\nshare = 50\nmin_messages = 20\n" + more + "\n"
}

const (
	quickWindow = "window = \"1s\"\nmax_latency_ratio = 1000\n"
	longWindow  = "window = \"1h\"\n"
)

// A canary that is no worse is promoted; one that is worse is rolled back, and no
// event fails because of it.
func TestCanary(t *testing.T) {
	w := newWorks(t, canary(quickWindow))
	end := w.flow()
	last := wilful(t, 1, behaviour{})
	for i, c := range []struct {
		name   string
		how    behaviour
		result string
		why    string
	}{
		{"good", behaviour{}, "live", ""},
		{"fails at times", behaviour{fails: 30}, "rolled_back", "max_failure_increase"},
		{"needs more fuel", behaviour{loops: 50_000}, "rolled_back", "max_fuel_ratio"},
		{"good again", behaviour{}, "live", ""},
	} {
		file := wilful(t, 2+i, c.how)
		put(t, w.module, file)
		r := w.ended(file, c.result)
		if !strings.Contains(r.Error, c.why) || r.Trial == nil || r.Trial.Candidate.Messages == 0 {
			t.Errorf("%s: %q, %+v", c.name, r.Error, r.Trial)
		}
		if c.result == "live" {
			last = file
		}
		if v := w.version(file); v.State != c.result {
			t.Errorf("%s: in the history %+v", c.name, v)
		}
		w.live(last)
	}
	end()
	if got := len(w.lines("level=ERROR")); got != 2 {
		t.Errorf("%d lines of an error:\n%s", got, strings.Join(w.lines("level=ERROR"), ""))
	}
	w.down()
}

// What a canary loses by a trap the live version handles.
func TestCanaryTraps(t *testing.T) {
	w := newWorks(t, canary(quickWindow))
	some, all := wilful(t, 2, behaviour{traps: 30}), wilful(t, 3, behaviour{traps: 100})
	w.swap(some) // before there are recent events to try it on
	w.trying(some)
	end := w.flow()
	w.ended(some, control.ResultRolledBack)
	end()
	w.send(20) // which the live version handles, and so are recent
	w.settled()
	w.swap(all)
	w.ended(all, control.ResultRefused)
	w.send(100)
	w.settled()
	w.down()
}

// A canary that takes longer is rolled back, even if it needs no more fuel than it
// may.
func TestSlowCanary(t *testing.T) {
	w := prepareWorks(t, canary("window = \"1s\"\nmax_fuel_ratio = 1000\nmax_latency_ratio = 3\n"))
	put(t, w.module, wilful(t, 1, behaviour{loops: 20_000}))
	w.up()
	end := w.flow()
	slow := wilful(t, 2, behaviour{loops: 2_000_000})
	put(t, w.module, slow)
	if r := w.ended(slow, "rolled_back"); !strings.Contains(r.Error, "max_latency_ratio") {
		t.Error(r.Error)
	}
	end()
	w.down()
}

// Events with the same key are handled by one version and in their order, from
// before the canary until after.
func TestCanaryKeepsOrder(t *testing.T) {
	w := prepareWorks(t, canary(longWindow))
	w.top = `partition_by = "user_key"`
	w.up()
	end := w.flow()
	w.swap(wilful(t, 2, behaviour{}))
	w.trying(wilful(t, 2, behaviour{}))
	w.within("the canary has handled some", func() bool { return w.plugin().Rollout.Trial.Candidate.Messages > 50 })
	_, err := w.client.Promote(t.Context(), "users")
	must(t, err)
	w.live(wilful(t, 2, behaviour{}))
	end()
	last := map[int]came{}
	for _, c := range w.came() {
		user := c.event % users
		if before, ok := last[user]; ok && (c.event < before.event || c.version < before.version) {
			t.Errorf("user %d: %+v after %+v", user, c, before)
		}
		last[user] = c
	}
	w.inTurn(2)
	w.down()
}

// An operator ends a canary, in either way, and a newer version does.
func TestCanaryByHand(t *testing.T) {
	w := newWorks(t, canary(longWindow))
	file := func(n int) []byte { return wilful(t, n, behaviour{}) }
	if _, err := w.client.Promote(t.Context(), "users"); err == nil || !strings.Contains(err.Error(), "no version of pipeline \"users\" is on trial") {
		t.Errorf("promoted without a trial: %v", err)
	}
	put(t, w.module, file(2))
	w.trying(file(2))
	_, err := w.client.Rollback(t.Context(), "users", "")
	must(t, err)
	if r := w.ended(file(2), "rolled_back"); r.Error != "an operator ended the trial" {
		t.Error(r.Error)
	}
	put(t, w.module, file(3))
	w.trying(file(3))
	put(t, w.module, file(4))
	w.trying(file(4))
	_, err = w.client.Promote(t.Context(), "users")
	must(t, err)
	w.ended(file(4), "live")
	for result, want := range map[string]float64{"live": 1, "rolled_back": 1, "superseded": 1} {
		if got := w.metric(fmt.Sprintf(`relayhost_plugin_rollouts_total{pipeline="users",result=%q}`, result)); got != want {
			t.Errorf("%v ended %s, not %v", got, result, want)
		}
	}
	w.down()
}

// A host that ends in the middle of a canary comes up on what was live, and begins
// the canary again.
func TestCanaryAcrossRestart(t *testing.T) {
	w := newWorks(t, canary(longWindow))
	end := w.flow()
	put(t, w.module, wilful(t, 2, behaviour{}))
	w.trying(wilful(t, 2, behaviour{}))
	end()
	w.down()
	w.up()
	w.trying(wilful(t, 2, behaviour{}))
	p := w.plugin()
	if p.Live.Digest != digestOf(t, 1) || p.Rollout.Number != 1 {
		t.Errorf("%+v", p)
	}
	end = w.flow()
	w.within("the canary has handled some", func() bool { return w.plugin().Rollout.Trial.Candidate.Messages > 50 })
	end()
	_, err := w.client.Promote(t.Context(), "users")
	must(t, err)
	w.ended(wilful(t, 2, behaviour{}), control.ResultLive)
	w.down()
}
