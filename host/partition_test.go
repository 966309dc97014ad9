package host_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/relayhost/relayhost/host/eventrelay"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

const partitioned = `[pipeline.processors.default]
partition_by = "user_key"
concurrency = 4
max_demand = 20
[pipeline.retry]
exhausted = "halt_partition"
[pipeline.batchers.default]
partition_by = "user_key"
concurrency = 3
batch_size = 7
batch_timeout = "50ms"
`

// With partition_by each user's events come out in the order in which they were
// published, and a user whose event fails does not stop the others.
func TestPartitions(t *testing.T) {
	const users, each = 8, 100
	s := newSite(t)
	var events []*pb.NewEvent
	for n := range each {
		for u := range users {
			events = append(events, &pb.NewEvent{
				Name: "user.created", Source: "MyApp", UserKey: fmt.Sprint("u", u), Data: person(fmt.Sprintf("u%d-%03d", u, n)),
			})
		}
	}
	broken := 50*users + 3 // the fourth user's fifty-first
	events[broken].Data = `{}`
	_, err := eventrelay.Publish(t.Context(), s.dial(s.producer), "users", events, true)
	must(t, err)
	r := s.run(s.config(partitioned))
	r.out.await(t, `"U`, (users-1)*each+50)
	r.log.await(t, "has halted its partition", 1)
	if err := r.stop(); err == nil {
		t.Error("nothing was said of the events that wait in the partition")
	}
	next := map[string]int{}
	for _, name := range regexp.MustCompile(`"(U\d)-(\d+)"`).FindAllStringSubmatch(r.out.String(), -1) {
		if want := fmt.Sprintf("%03d", next[name[1]]); name[2] != want {
			t.Fatalf("%s came where %s-%s should have", name[0], name[1], want)
		}
		next[name[1]]++
	}
	if next["U3"] != 50 || next["U0"] != each {
		t.Errorf("came out: %v", next)
	}
	if b := r.Books()["users"]; b.InFlight != each-50 {
		t.Errorf("the books: %+v", b)
	}
}
