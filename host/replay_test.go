package host_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/message"
	source "github.com/relayhost/relayhost/host/source/eventrelay"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

func replay(t *testing.T, c *config.Config, o host.ReplayOptions) *host.Replay {
	t.Helper()
	o.CacheDir = c.CacheDir
	r, err := host.NewReplay(t.Context(), c.Pipelines[0], o, host.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, r.Close(context.Background())) })
	return r
}

// manyPeople is the data of n events; each seventh has no person.
func manyPeople(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"person": {"first_name": "p%d"}}`, i)
		if i%7 == 6 {
			all[i] = "{}"
		}
	}
	return all
}

// A log longer than a chunk goes through in order, and the server's queue and
// the journal are as if nothing had been.
func TestReplayLeavesNoTrace(t *testing.T) {
	s := newSite(t)
	ids := s.publish(manyPeople(1300)...)
	c := s.config("[pipeline.batchers.default]\nbatch_size = 100")
	r := replay(t, c, host.ReplayOptions{Log: source.LogRange{Topic: "users"}})
	var seen []string
	batches := 0
	for chunk, err := range r.Chunks(t.Context()) {
		must(t, err)
		if chunk.First != len(seen) || len(chunk.Messages) > 1000 || len(chunk.Runs) != 1 {
			t.Errorf("chunk at %d of %d with %d runs, after %d", chunk.First, len(chunk.Messages), len(chunk.Runs), len(seen))
		}
		for i, ack := range chunk.Runs[0].Acks {
			want := (chunk.First+i)%7 != 6
			if ack.ID != chunk.Messages[i].ID || ack.OK() != want || !want && ack.Outcome.Kind != message.Handler {
				t.Errorf("event %d: %+v", chunk.First+i, ack)
			}
			seen = append(seen, ack.ID)
		}
		for _, b := range chunk.Runs[0].Batches {
			if batches++; b.Events[0] < chunk.First || slices.Max(b.Events) >= chunk.First+len(chunk.Messages) {
				t.Errorf("a batch of %v in the chunk at %d", b.Events, chunk.First)
			}
		}
	}
	if !slices.Equal(seen, ids) || batches != 9+3 { // of 858 and of 257 people
		t.Errorf("%d events and %d batches, want %d", len(seen), batches, len(ids))
	}
	queue, err := pb.NewEventsClient(s.dial(s.consumer)).PullQueuedEvents(t.Context(),
		&pb.PullQueuedEventsRequest{DestinationId: s.destination, BatchSize: 10_000})
	must(t, err)
	if len(queue.GetEvents()) != len(ids) {
		t.Errorf("the queue has %d events, want %d", len(queue.GetEvents()), len(ids))
	}
	if _, err := os.Stat(c.Journal.Dir); !errors.Is(err, os.ErrNotExist) || c.Journal.Dir == "" {
		t.Errorf("journal %q: %v", c.Journal.Dir, err)
	}
}

// A host that runs meanwhile has its journal and its events for itself.
func TestReplayBesideARunningHost(t *testing.T) {
	s := newSite(t)
	c := s.config("[pipeline.batchers.default]\nbatch_size = 2")
	running := s.run(c)
	s.publish(manyPeople(2)...)
	running.out.await(t, "P1", 1)
	for chunk, err := range replay(t, c, host.ReplayOptions{Log: source.LogRange{Topic: "users"}}).Chunks(t.Context()) {
		if must(t, err); len(chunk.Messages) != 2 {
			t.Errorf("%d events", len(chunk.Messages))
		}
	}
	must(t, running.stop())
}

// With a fixed clock and seeded randomness the same plugin does the same, and a
// limit ends the replay.
func TestReplayOfTwo(t *testing.T) {
	s := newSite(t)
	ids := s.publish(manyPeople(5)...)
	module := filepath.Join(s.dir, "upcase.wasm")
	c := s.config("clock = \"fixed\"\nrandom = \"seeded\"")
	r := replay(t, c, host.ReplayOptions{Log: source.LogRange{Topic: "users"}, Limit: 3, Modules: []string{module, module}})
	chunks := 0
	for chunk, err := range r.Chunks(t.Context()) {
		must(t, err)
		chunks++
		if len(chunk.Messages) != 3 || chunk.Messages[2].ID != ids[2] || len(chunk.Runs) != 2 {
			t.Errorf("%d events, %d runs", len(chunk.Messages), len(chunk.Runs))
		}
		for i := range chunk.Messages {
			a, b := &chunk.Runs[0].Acks[i], &chunk.Runs[1].Acks[i]
			if found := a.Differences(b); len(found) > 0 || a.Fuel != b.Fuel {
				t.Errorf("event %d differs in %v, fuel %d and %d", i, found, a.Fuel, b.Fuel)
			}
		}
	}
	if chunks != 1 {
		t.Errorf("%d chunks", chunks)
	}
}

// What was handled before an error is not lost to it.
func TestReplayEndsWithAnError(t *testing.T) {
	s := newSite(t)
	s.publish(manyPeople(3)...)
	r := replay(t, s.config(""), host.ReplayOptions{Log: source.LogRange{Topic: "users", Query: "garbage"}})
	for chunk, err := range r.Chunks(t.Context()) {
		if !errors.Is(err, source.ErrQueryIgnored) || len(chunk.Messages) != 0 {
			t.Errorf("%d events, %v", len(chunk.Messages), err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for chunk, err := range replay(t, s.config(""), host.ReplayOptions{Log: source.LogRange{Topic: "users"}}).Chunks(ctx) {
		if !errors.Is(err, context.Canceled) || len(chunk.Messages) != 0 {
			t.Errorf("%d events, %v", len(chunk.Messages), err)
		}
	}
}

func TestReplayOfNoPlugin(t *testing.T) {
	s := newSite(t)
	if _, err := host.NewReplay(t.Context(), s.config("").Pipelines[0], host.ReplayOptions{Modules: []string{"none.wasm"}}, host.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
