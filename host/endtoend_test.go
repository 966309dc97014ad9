package host_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/message"
)

func person(name string) string { return fmt.Sprintf(`{"person": {"first_name": %q}}`, name) }

const batches = `[pipeline.batchers.default]
batch_size = 100
batch_timeout = "100ms"
concurrency = 2
`

// 10,000 events over mutual TLS: each comes out once and settles once.
func TestEndToEnd(t *testing.T) {
	const total = 10_000
	s := newSite(t)
	var data []string
	for n := range total {
		data = append(data, person(fmt.Sprintf("n%05d", n)))
	}
	s.publish(data...)
	r := s.run(s.config("[pipeline.processors.default]\nmax_demand = 500\n" + batches))
	r.out.await(t, `"N`, total)
	must(t, r.stop())

	out := r.out.String()
	for n := range total {
		if got := strings.Count(out, fmt.Sprintf(`"N%05d"`, n)); got != 1 {
			t.Errorf("event %d came out %d times", n, got)
		}
	}
	b := r.Books()["users"]
	if b.Received != total || b.InFlight != 0 || b.Settled[message.OK] != total {
		t.Errorf("the books: %+v", b)
	}
	if log := r.log.String(); log != "" {
		t.Errorf("there was something to say:\n%s", log)
	}
}

// Events that the handler cannot use fail with their reason; those beside them
// come through.
func TestBadEvents(t *testing.T) {
	s := newSite(t)
	huge := fmt.Sprintf(`{"person": {"first_name": "huge"}, "padding": %q}`, strings.Repeat("x", 5<<20))
	ids := s.publish(
		person("first"),
		`{"person": {}}`,
		`{"nobody": 1}`,
		`{"person": {"first_name": 7}}`,
		huge,
		person("last"),
	)
	r := s.run(s.config(batches))
	r.out.await(t, `"LAST"`, 1)
	r.out.await(t, `"HUGE"`, 1)
	r.log.await(t, "message failed", 3)
	must(t, r.stop())
	for _, id := range ids[1:4] {
		if !strings.Contains(r.log.String(), "event="+id) {
			t.Errorf("no word of event %s in\n%s", id, r.log)
		}
	}
	b := r.Books()["users"]
	if b.Settled[message.OK] != 3 || b.Settled[message.Handler] != 3 || b.InFlight != 0 {
		t.Errorf("the books: %+v", b)
	}
}

// A server that restarts midway loses and doubles nothing.
func TestServerRestart(t *testing.T) {
	s := newSite(t)
	r := s.run(s.config(batches))
	s.publish(person("before"))
	r.out.await(t, `"BEFORE"`, 1)
	s.stop()
	r.log.await(t, "level=WARN", 1) // the source says what is wrong
	s.start()
	s.publish(person("after"))
	r.out.await(t, `"AFTER"`, 1)
	must(t, r.stop())
	if b := r.Books()["users"]; b.Received != 2 || b.SettledOK() != 2 {
		t.Errorf("the books: %+v", b)
	}
	if strings.Contains(r.log.String(), s.consumer) {
		t.Error("the token is in the log")
	}
}

// Several pipelines run beside each other on one server.
func TestTwoPipelines(t *testing.T) {
	s := newSite(t)
	one := s.config(batches)
	two := s.config(strings.ReplaceAll(batches, "100", "7"))
	two.Pipelines[0].Name = "again"
	one.Pipelines = append(one.Pipelines, two.Pipelines...)
	r := s.run(one)
	for n := range 100 {
		s.publish(person(fmt.Sprint("n", n)))
	}
	r.out.await(t, `"N`, 100)
	must(t, r.stop())
	if total := r.Books()["users"].SettledOK() + r.Books()["again"].SettledOK(); total != 100 {
		t.Errorf("settled %d of 100", total)
	}
}
