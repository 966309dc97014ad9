package host_test

import (
	"strings"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/devserver"
)

// Where the server can unlock, what failed comes again; where it cannot, that is
// said once, and it is a dead letter.
func TestUnlock(t *testing.T) {
	for _, can := range []bool{true, false} {
		t.Run(map[bool]string{true: "can", false: "cannot"}[can], func(t *testing.T) {
			s := newSite(t)
			s.stop()
			s.options.Unlock = can
			s.start()
			s.publish("{}", person("ada"), "{}")
			c := s.config(batches + "[pipeline.retry]\nbackoff = \"10ms\"\n")
			c.Pipelines[0].OnFailure = "unlock"
			r := s.run(c)
			r.out.await(t, "ADA", 1)
			if can {
				r.log.await(t, "action=unlock", 6) // three rounds of two
			} else {
				r.log.await(t, "action=dead_letter", 2)
			}
			must(t, r.stop())
			b, left := r.Books()["users"], letters(t, c)
			switch {
			case can && (b.Unlocked < 6 || len(left) != 0):
				t.Errorf("books %+v, dead letters %v", b, left)
			case !can && (b.Unlocked != 0 || len(left) != 2 || strings.Count(r.log.String(), "level=WARN") != 1):
				t.Errorf("books %+v, dead letters %v, log\n%s", b, left, r.log)
			}
		})
	}
}

// With reconcile no answer that the server has given in vain is lost.
func TestReconcile(t *testing.T) {
	s := newSite(t)
	s.server.SetFaults(devserver.Fault{Kind: devserver.Cut, Count: 3}, devserver.Fault{Kind: devserver.Stall, Count: 1, Duration: time.Millisecond})
	var data []string
	for range 50 {
		data = append(data, person("ada"))
	}
	c := s.config(batches)
	p := &c.Pipelines[0].Producer
	p.Reconcile, p.ReconcileInterval, p.Topic, p.ReconcileStart.Latest = true, 100*time.Millisecond, "users", false
	r := s.run(c)
	s.publish(data...)
	r.out.await(t, `"ADA"`, 50)
	must(t, r.stop())
	if n := strings.Count(r.out.String(), `"ADA"`); n != 50 {
		t.Errorf("%d of 50 came out", n)
	}
}
