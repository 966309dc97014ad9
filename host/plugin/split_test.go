package plugin_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

// A canary that comes to rest, and works again, while a batch is handled neither
// loses a message of it nor has one twice.
func TestBatchWhileTheCanaryRests(t *testing.T) {
	a, b := taggedAs(t, "version1"), taggedAs(t, "version2")
	o := newOffice(t, a)
	s := o.sit(message.StageBatchers)
	o.try(b, all)
	var toggling sync.WaitGroup
	stop := make(chan struct{})
	toggling.Go(func() {
		for on := true; ; on = !on {
			select {
			case <-stop:
				return
			default:
				o.Candidate().Rest(on)
			}
		}
	})
	events := []string{"a1", "b2", "a3", "b4"}
	for range 3000 {
		if got := recorded(t, s, events, a, b); !slices.Equal(got, events) {
			t.Fatalf("a batch of %q put out %q", events, got)
		}
	}
	close(stop)
	toggling.Wait()
}

// recorded is which events of a batch are in what is put out, sorted by their
// numbers. An event's letter says which version has handled it.
func recorded(t *testing.T, s *plugin.Seat, events []string, versions ...[]byte) (got []string) {
	t.Helper()
	batch := &message.Batch{Batcher: "b"}
	for _, e := range events {
		batch.Messages = append(batch.Messages, &message.Message{
			ID: e, Event: []byte(e), Attempt: 1, Plugin: plugin.Digest(versions[e[0]-'a']),
		})
	}
	s.Begin()
	defer s.End()
	for _, r := range s.HandleBatch(batch).Records {
		frame, err := abi.ParseBatch(r.Data[len("version0"):])
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range frame.Messages {
			got = append(got, string(m.Event))
		}
	}
	slices.SortFunc(got, func(x, y string) int { return strings.Compare(x[1:], y[1:]) })
	return got
}
