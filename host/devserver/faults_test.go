package devserver_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/relayhost/relayhost/host/devserver"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// pullOnce pulls all there is, with a client's own limits, and does not try again.
func pullOnce(t *testing.T, b *bench, queue string) ([]string, error) {
	t.Helper()
	conn, err := grpc.NewClient(b.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r, err := pb.NewEventsClient(conn).PullQueuedEvents(b.admin(t), &pb.PullQueuedEventsRequest{DestinationId: queue, BatchSize: 100}, grpc.WaitForReady(true))
	return names(r.GetEvents()), err
}

// Each fault is what the client of a real server was seen to meet, and leaves the
// queue as that was seen to be left.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		fault  devserver.Fault
		code   codes.Code
		text   string
		locked bool // the events are gone all the same
	}{
		{devserver.Fault{Kind: devserver.ISE}, codes.Unknown, "Internal Server Error", false},
		{devserver.Fault{Kind: devserver.Stall, Duration: 50 * time.Millisecond}, codes.Unknown, "Internal Server Error", true},
		{devserver.Fault{Kind: devserver.Cut}, codes.Unavailable, "", true},
		{devserver.Fault{Kind: devserver.Large}, codes.ResourceExhausted, "received message larger than max", true},
		{devserver.Fault{Kind: devserver.Trickle, Duration: 100 * time.Millisecond}, codes.OK, "", true},
	} {
		t.Run(string(c.fault.Kind), func(t *testing.T) {
			b, _ := start(t, devserver.Options{})
			queue := b.topicAndQueue(t, "users")
			b.publish(t, "users", 3)
			c.fault.Count = 1
			b.SetFaults(c.fault)
			began := time.Now()
			got, err := pullOnce(t, b, queue)
			if status.Code(err) != c.code || !strings.Contains(fmt.Sprint(err), c.text) {
				t.Errorf("got %v, want %v %q", err, c.code, c.text)
			}
			if took := time.Since(began); c.fault.Duration > 0 && took < c.fault.Duration {
				t.Errorf("took %v, and must at least %v", took, c.fault.Duration)
			}
			later, err := pullOnce(t, b, queue)
			want := []string{"e0", "e1", "e2"}
			if c.locked {
				want = []string{}
			}
			if err != nil || !slices.Equal(later, want) {
				t.Errorf("then got %v, %v, want %v", later, err, want)
			}
			if c.code == codes.OK && len(got) != 3 {
				t.Errorf("the answer has %v", got)
			}
		})
	}
}

// A client that takes large answers sees the events as they are.
func TestLargeLeavesTheEvents(t *testing.T) {
	b, _ := start(t, devserver.Options{Faults: []devserver.Fault{{Kind: devserver.Large}}})
	queue := b.topicAndQueue(t, "users")
	b.publish(t, "users", 3)
	if got := b.pull(t, queue, 10); !slices.Equal(got, []string{"e0", "e1", "e2"}) {
		t.Errorf("got %v", got)
	}
}

// What fails by itself is answered as ever.
func TestLargeLeavesErrors(t *testing.T) {
	b, _ := start(t, devserver.Options{Faults: []devserver.Fault{{Kind: devserver.Large}}})
	_, err := b.events.PullEvents(b.admin(t), &pb.PullEventsRequest{Topic: "nobody's"})
	wantInternal(t, err)
}

// The connection is cut, the next is answered by what speaks no gRPC, and then
// all is well; nothing is locked.
func TestStatus500(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	queue := b.topicAndQueue(t, "users")
	b.publish(t, "users", 3)
	b.SetFaults(devserver.Fault{Kind: devserver.Status500, Count: 1})
	request := &pb.PullQueuedEventsRequest{DestinationId: queue, BatchSize: 10}
	if _, err := b.events.PullQueuedEvents(b.admin(t), request); status.Code(err) != codes.Unavailable {
		t.Errorf("the call that meets the fault: %v", err)
	}
	_, err := b.events.PullQueuedEvents(b.admin(t), request, grpc.WaitForReady(true))
	if status.Code(err) != codes.Unknown || !strings.Contains(err.Error(), "500") || !strings.Contains(err.Error(), "malformed header: missing HTTP content-type") {
		t.Errorf("the next: %v", err)
	}
	r, err := b.events.PullQueuedEvents(b.admin(t), request, grpc.WaitForReady(true))
	if err != nil || len(r.GetEvents()) != 3 {
		t.Errorf("the one after: %v, %v", names(r.GetEvents()), err)
	}
}

// A late event has an offset below those that are stored already; the log shows
// it there, and a queue that has passed it delivers it; also after a restart.
func TestLateCommit(t *testing.T) {
	dir := t.TempDir()
	b, stop := start(t, devserver.Options{DataDir: dir})
	queue := b.topicAndQueue(t, "users")
	b.publish(t, "users", 2)
	b.SetFaults(devserver.Fault{Kind: devserver.Late, Count: 1, Duration: 300 * time.Millisecond})
	done := make(chan error, 1)
	admin := b.admin(t)
	taken := b.lastOffset(t) // the events below are published one after the other
	go func() {
		_, err := b.events.PublishEvents(admin, &pb.PublishEventsRequest{Topic: "users", Durable: true, Events: []*pb.NewEvent{event(2), event(3)}})
		done <- err
	}()
	time.Sleep(100 * time.Millisecond) // it has its offsets, and is not stored
	if _, err := b.events.PublishEvents(admin, &pb.PublishEventsRequest{Topic: "users", Durable: true, Events: []*pb.NewEvent{event(4)}}); err != nil {
		t.Fatal(err)
	}
	if got := b.pull(t, queue, 10); !slices.Equal(got, []string{"e0", "e1", "e4"}) {
		t.Fatalf("at first the queue delivers %v", got)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r, err := b.events.PullEvents(admin, &pb.PullEventsRequest{Topic: "users", BatchSize: 10, Query: fmt.Sprintf("offset > %d", taken)})
	if got := names(r.GetEvents()); err != nil || !slices.Equal(got, []string{"e2", "e3", "e4"}) {
		t.Errorf("the log has %v, %v", got, err)
	}
	stop()
	b, _ = start(t, devserver.Options{DataDir: dir})
	if got := b.pull(t, queue, 10); !slices.Equal(got, []string{"e2", "e3"}) {
		t.Errorf("then the queue delivers %v", got)
	}
	b.publish(t, "users", 1)
	if got := b.lastOffset(t); got != taken+4 {
		t.Errorf("the next offset is %d, want %d", got, taken+4)
	}
}

func (b *bench) lastOffset(t *testing.T) int32 {
	t.Helper()
	r, err := b.events.PullEvents(b.admin(t), &pb.PullEventsRequest{Topic: "users", BatchSize: 100})
	if err != nil {
		t.Fatal(err)
	}
	events := r.GetEvents()
	return events[len(events)-1].GetOffset()
}

// Chance is the seed's, and a fault strikes the methods that it names and as
// often as it says.
func TestFaultsByChance(t *testing.T) {
	strikes := func(seed uint64, f devserver.Fault) (pattern string) {
		b, _ := start(t, devserver.Options{FaultSeed: seed, Faults: []devserver.Fault{f}})
		queue := b.topicAndQueue(t, "users")
		for range 40 {
			_, err := b.events.PullQueuedEvents(b.admin(t), &pb.PullQueuedEventsRequest{DestinationId: queue})
			pattern += map[codes.Code]string{codes.OK: ".", codes.Unknown: "x"}[status.Code(err)]
		}
		return pattern
	}
	half := devserver.Fault{Kind: devserver.ISE, Probability: 0.5}
	first := strikes(1, half)
	if first != strikes(1, half) || first == strikes(2, half) || !strings.Contains(first, ".") || !strings.Contains(first, "x") {
		t.Errorf("the strikes are %s", first)
	}
	if got := strikes(1, devserver.Fault{Kind: devserver.ISE, Count: 2}); got != "xx"+strings.Repeat(".", 38) {
		t.Errorf("two strikes are %s", got)
	}
	if got := strikes(1, devserver.Fault{Kind: devserver.ISE, Methods: []string{"PullEvents"}}); strings.Contains(got, "x") {
		t.Errorf("strikes of another method are %s", got)
	}
}

func TestParseFault(t *testing.T) {
	for text, want := range map[string]devserver.Fault{
		"ise":                               {Kind: devserver.ISE},
		"500:count=2":                       {Kind: devserver.Status500, Count: 2},
		"stall:duration=2s,probability=0.5": {Kind: devserver.Stall, Duration: 2 * time.Second, Probability: 0.5},
		"cut:method=PullEvents,method=PublishEvents": {Kind: devserver.Cut, Methods: []string{"PullEvents", "PublishEvents"}},
	} {
		got, err := devserver.ParseFault(text)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                       "no fault is called \"\"\nhint: there are ise, stall, cut, large, late, 500, trickle",
		"isee":                   "no fault is called \"isee\"",
		"ise:":                   "it has no \"\"",
		"ise:probability=2":      "probability is \"2\", and must be above 0 and at most 1",
		"ise:probability=NaN":    "probability is \"NaN\"",
		"ise:count=0":            "count is \"0\"",
		"stall:duration=5":       "duration is \"5\", and must be like 500ms or 5s, up to 1h",
		"cut:method=Pull":        "method is \"Pull\", and must be one of PullQueuedEvents, PullEvents, PublishEvents, UnLockQueuedEvents",
		"late:method=PullEvents": "for late it must be PublishEvents",
		"ise:colour=red":         "it has no \"colour\"\nhint: it may have probability, count, duration and method",
	} {
		if _, err := devserver.ParseFault(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseFault(f *testing.F) {
	f.Add("cut:probability=0.05,method=PullQueuedEvents,count=3")
	f.Add("stall:duration=2s")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := devserver.ParseFault(text)
		if err == nil && (got.Probability < 0 || got.Probability > 1 || got.Count < 0 || got.Duration < 0) {
			t.Errorf("%q is %+v", text, got)
		}
	})
}

// Many connections that come and go under faults leave nothing behind.
func TestFaultsUnderLoad(t *testing.T) {
	var faults []devserver.Fault
	for _, kind := range devserver.FaultKinds {
		faults = append(faults, devserver.Fault{Kind: kind, Probability: 0.1, Duration: time.Millisecond})
	}
	b, _ := start(t, devserver.Options{Faults: faults})
	queue := b.topicAndQueue(t, "users")
	ctx, cancel := context.WithTimeout(b.admin(t), 20*time.Second)
	defer cancel()
	for i := range 200 {
		_, _ = b.events.PublishEvents(ctx, &pb.PublishEventsRequest{Topic: "users", Durable: true, Events: []*pb.NewEvent{event(i)}}, grpc.WaitForReady(true))
		_, _ = b.events.PullQueuedEvents(ctx, &pb.PullQueuedEventsRequest{DestinationId: queue}, grpc.WaitForReady(true))
	}
	b.SetFaults()
	_, err := b.events.PullQueuedEvents(ctx, &pb.PullQueuedEventsRequest{DestinationId: queue}, grpc.WaitForReady(true))
	for range 5 { // a connection may yet be answered by what speaks no gRPC
		if err != nil {
			_, err = b.events.PullQueuedEvents(ctx, &pb.PullQueuedEventsRequest{DestinationId: queue}, grpc.WaitForReady(true))
		}
	}
	if err != nil {
		t.Error(err)
	}
}
