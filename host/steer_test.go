package host_test

import (
	"strings"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/control"
)

// A partition that is halted goes on when it is told to, with a version that can
// handle what halted it.
func TestResume(t *testing.T) {
	w := prepareWorks(t, "")
	w.top = "partition_by = \"user_key\"\non_failure = \"halt_partition\""
	put(t, w.module, wilful(t, 1, behaviour{fails: 100}))
	w.up()
	w.send(1)
	w.log.await(t, "halted", 1)
	if err := w.client.Resume(t.Context(), "users", "nobody"); err == nil || !strings.Contains(err.Error(), `partition "nobody" of pipeline "users" is not halted`) {
		t.Errorf("resumed: %v", err)
	}
	w.swap(wilful(t, 2, behaviour{}))
	w.live(wilful(t, 2, behaviour{}))
	w.send(users) // of all users
	w.within("the others have come", func() bool { return len(w.came()) == users-1 })
	must(t, w.client.Resume(t.Context(), "users", "user0"))
	w.settled()
	w.down()
}

// A rate limit counts from when it is set.
func TestSetRateLimit(t *testing.T) {
	w := newWorks(t, "")
	must(t, w.client.SetRateLimit(t.Context(), "users", control.RateLimit{AllowedMessages: 3, Interval: time.Hour}))
	w.send(20) // all of which a pull may bring that had begun before
	w.within("three have come", func() bool { return len(w.came()) >= 3 })
	w.send(20)
	for range 20 {
		if got := w.Books()["users"].Received; got > 23 {
			t.Fatalf("%d have come", got)
		}
		time.Sleep(5 * time.Millisecond)
	}
	must(t, w.client.SetRateLimit(t.Context(), "users", control.RateLimit{}))
	w.settled()
	if err := w.client.SetRateLimit(t.Context(), "nobody", control.RateLimit{}); err == nil || !strings.Contains(err.Error(), `there is no pipeline "nobody"`) {
		t.Errorf("of nobody: %v", err)
	}
	w.down()
}
