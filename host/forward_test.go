package host_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/control"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// Dead letters go to a sink, each once, and those that an earlier run has left.
func TestDeadLettersGoToASink(t *testing.T) {
	s := newSite(t)
	s.publish("{}", person("ada"), "{}")
	r := s.run(s.config(batches))
	r.out.await(t, "ADA", 1)
	must(t, r.stop())

	c := s.config(batches + "[pipeline.dead_letters]\nsink = \"stdout\"\n")
	s.publish("{}")
	r = s.run(c)
	r.out.await(t, `"kind":"handler"`, 3)
	must(t, r.stop())
	if n := strings.Count(r.out.String(), `"event_json":{"id":`); n != 3 {
		t.Errorf("%d dead letters came out of 3:\n%s", n, r.out)
	}
	for _, d := range letters(t, c) {
		if d.Forwarded.Before(d.Failed) {
			t.Errorf("dead letter %s was forwarded at %v", d.ID, d.Forwarded)
		}
	}
	r = s.run(c)
	must(t, r.stop())
	if out := r.out.String(); out != "" {
		t.Errorf("they came out again:\n%s", out)
	}
}

// letters are what the journal of a host has that does not run.
func letters(t *testing.T, c *config.Config) (all []control.DeadLetter) {
	t.Helper()
	o, err := host.OpenOffline(c, slog.New(slog.DiscardHandler))
	must(t, err)
	for d, err := range o.DeadLetters(t.Context(), control.Query{Whole: true}) {
		must(t, err)
		all = append(all, d)
	}
	must(t, o.Close())
	return all
}

// They go to a topic as events with the keys to find them by; a server that is
// away for a while gets them later, and a token that is refused harms nobody else.
func TestDeadLettersGoToATopic(t *testing.T) {
	s := newSite(t)
	must(t, s.server.CreateTopic("failed"))
	token, err := s.server.CreateProducerKey("failed")
	must(t, err)
	ids := s.publish("{}")
	c := s.config(batches + "[pipeline.dead_letters]\ntopic = \"failed\"\ntoken = \"" + token + "\"\n")
	r := s.run(c)
	r.log.await(t, "message failed", 1)
	must(t, r.stop())

	events, err := pb.NewEventsClient(s.dial(s.server.AdminToken())).PullEvents(t.Context(), &pb.PullEventsRequest{Topic: "failed", BatchSize: 10})
	must(t, err)
	if len(events.GetEvents()) != 1 {
		t.Fatalf("the topic has %v", events.GetEvents())
	}
	e := events.GetEvents()[0]
	var d host.ExportedLetter
	must(t, json.Unmarshal([]byte(e.GetData()), &d))
	if e.GetName() != "relayhost.dead_letter" || e.GetSource() != "relayhost/users" || e.GetReferenceKey() != ids[0] || d.EventID != ids[0] ||
		d.Kind != "handler" || d.Attempts != 1 || len(d.Event) == 0 || d.Reason == "" || len(d.Plugin) != 64 {
		t.Errorf("the event is %v", e)
	}
	if all := letters(t, c); len(all) != 1 || all[0].Forwarded.IsZero() {
		t.Errorf("the journal has %+v", all)
	}
}
