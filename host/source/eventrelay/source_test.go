package eventrelay_test

import (
	"context"
	"encoding/base64"
	"sync"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/secret"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	source "github.com/relayhost/relayhost/host/source/eventrelay"

	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

var _ pipeline.Source = (*source.Source)(nil)

func TestSourceDeliversWhatWasPublished(t *testing.T) {
	r := newRelay(t)
	published := r.publish(3)
	got := mustPull(t, open(t, r.reach(), r.destination, newLogbook(t)), nil, 10)
	if len(got) != len(published) {
		t.Fatalf("%d messages", len(got))
	}
	for i, m := range got {
		var e pb.Event
		check(t, proto.Unmarshal(m.Event, &e))
		if diff := cmp.Diff(published[i], &e, protocmp.Transform()); diff != "" {
			t.Errorf("event %d: %s", i, diff)
		}
		if m.ID != e.GetId() || m.Position != int64(e.GetOffset()) {
			t.Errorf("message %s at %d of event %v", m.ID, m.Position, &e)
		}
	}
}

// tally counts how often each event came.
type tally struct {
	mu   sync.Mutex
	seen map[string]int
}

func (c *tally) add(messages []*message.Message) (distinct int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range messages {
		c.seen[m.ID]++
	}
	return len(c.seen)
}

func TestSourceDeliversEachOf10000EventsOnce(t *testing.T) {
	const events = 10_000
	r := newRelay(t)
	published := r.publish(events)
	s := open(t, r.reach(), r.destination, newLogbook(t))
	count := tally{seen: make(map[string]int, events)}
	stop := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				messages, err := s.Pull(t.Context(), stop, 1700)
				if err != nil || len(messages) > 1700 {
					t.Errorf("%d messages, %v", len(messages), err)
				}
				if count.add(messages) == events {
					once.Do(func() { close(stop) })
				}
				if len(messages) == 0 {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, e := range published {
		if n := count.seen[e.GetId()]; n != 1 {
			t.Fatalf("event %s came %d times", e.GetId(), n)
		}
	}
}

// arrival pulls in the background; the channel gives what came.
func arrival(t *testing.T, s *source.Source, stop <-chan struct{}) <-chan []*message.Message {
	t.Helper()
	came := make(chan []*message.Message, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		messages, err := s.Pull(context.WithoutCancel(t.Context()), stop, 10)
		if err != nil {
			t.Error(err)
		}
		came <- messages
	})
	t.Cleanup(wg.Wait)
	return came
}

// expect waits for n messages, and for the log's word that trouble is over.
func expect(t *testing.T, came <-chan []*message.Message, n int, log *logbook) {
	t.Helper()
	if got := <-came; len(got) != n {
		t.Errorf("%d messages, want %d", len(got), n)
	}
	log.await("pulling events again")
}

func TestSourceWaitsForAServerThatIsDownAtStart(t *testing.T) {
	r := newRelay(t)
	r.publish(2)
	r.stop()
	log := newLogbook(t)
	came := arrival(t, open(t, r.reach(), r.destination, log), nil)
	log.await("nothing listens")
	r.start()
	expect(t, came, 2, log)
}

func TestSourceSurvivesARestart(t *testing.T) {
	r := newRelay(t)
	r.publish(2)
	log := newLogbook(t)
	s := open(t, r.reach(), r.destination, log)
	if got := mustPull(t, s, nil, 10); len(got) != 2 {
		t.Fatalf("%d messages", len(got))
	}
	r.stop()
	came := arrival(t, s, nil)
	log.await("cannot pull events")
	r.start()
	r.publish(3)
	expect(t, came, 3, log)
}

func TestSourceWaitsUntilItsTokenIsTaken(t *testing.T) {
	r := newRelay(t)
	r.publish(2)
	o := r.reach()
	o.Token = secret.New(base64.StdEncoding.EncodeToString([]byte("unknown:unheard-of")))
	log := newLogbook(t)
	came := arrival(t, open(t, o, r.destination, log), nil)
	log.await("the token is unknown to the server, or revoked")
	r.stop()
	r.options.AuthOff = true
	r.start()
	expect(t, came, 2, log)
}

func TestSourceSaysWhatIsWrong(t *testing.T) {
	r := newRelay(t)
	other := newRelay(t)
	none := r.reach()
	none.Token = secret.Text{}
	anonymous := r.reach()
	anonymous.CertFile, anonymous.KeyFile = "", ""
	stranger := r.reach()
	stranger.CACertFile = other.certificate.CACert
	admin := r.reach()
	admin.Token = secret.New(r.admin)
	producer := r.reach()
	token, err := r.server.CreateProducerKey("users")
	check(t, err)
	producer.Token = secret.New(token)

	for name, test := range map[string]struct {
		o           eventrelay.Options
		destination string
		want        string
	}{
		"no token":              {none, r.destination, "wants a token and got none"},
		"a producer's key":      {producer, r.destination, "of the wrong type"},
		"no client certificate": {anonymous, r.destination, "wants a client certificate"},
		"wrong authority":       {stranger, r.destination, "cacertfile does not hold"},
		"unknown destination":   {admin, "nowhere", "destination id"},
	} {
		t.Run(name, func(t *testing.T) {
			log, stop := newLogbook(t), make(chan struct{})
			came := arrival(t, open(t, test.o, test.destination, log), stop)
			log.await(test.want)
			close(stop)
			if got := <-came; len(got) != 0 {
				t.Errorf("%d messages", len(got))
			}
		})
	}
}

func TestSourceSaysThatACertificateHasExpired(t *testing.T) {
	r := newRelay(t)
	r.stop()
	r.certify(-time.Minute)
	r.start()
	log, stop := newLogbook(t), make(chan struct{})
	came := arrival(t, open(t, r.reach(), r.destination, log), stop)
	log.await("the server's certificate has expired")
	close(stop)
	<-came
}
