package eventrelay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/relayhost/relayhost/host/eventrelay"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// store answers a publish as the real server does, last event first.
type store struct {
	calls []*pb.PublishEventsRequest
	fail  int // the call to fail, counted from 1
}

func (s *store) publish(_ context.Context, r *pb.PublishEventsRequest) (*pb.PublishEventsResponse, error) {
	s.calls = append(s.calls, r)
	if len(s.calls) == s.fail {
		return nil, status.Error(codes.Unknown, "Internal Server Error")
	}
	var reply pb.PublishEventsResponse
	for _, e := range slices.Backward(r.GetEvents()) {
		reply.Events = append(reply.Events, &pb.Event{Name: e.GetName(), Data: e.GetData()})
	}
	return &reply, nil
}

func newEvents(n, size int) []*pb.NewEvent {
	events := make([]*pb.NewEvent, n)
	for i := range events {
		events[i] = &pb.NewEvent{Name: fmt.Sprint(i), Data: strings.Repeat("x", size)}
	}
	return events
}

func TestPublish(t *testing.T) {
	for name, test := range map[string]struct {
		events []*pb.NewEvent
		calls  []int
	}{
		"none":        {nil, nil},
		"one":         {newEvents(1, 1), []int{1}},
		"many":        {newEvents(250, 1), []int{100, 100, 50}},
		"large":       {newEvents(5, 400<<10), []int{2, 2, 1}},
		"larger":      {newEvents(2, 2<<20), []int{1, 1}},
		"just enough": {newEvents(100, 1), []int{100}},
	} {
		t.Run(name, func(t *testing.T) {
			var s store
			conn := dial(t, serve(t, nil, &events{publish: s.publish}))
			got, err := eventrelay.Publish(t.Context(), conn, "users:1", test.events, true)
			if err != nil || len(got) != len(test.events) {
				t.Fatalf("%d events, %v", len(got), err)
			}
			for i, e := range got {
				if e.GetName() != fmt.Sprint(i) {
					t.Fatalf("event %d is %s", i, e.GetName())
				}
			}
			var calls []int
			for _, c := range s.calls {
				calls = append(calls, len(c.GetEvents()))
				if c.GetTopic() != "users:1" || !c.GetDurable() {
					t.Errorf("call = %s %t", c.GetTopic(), c.GetDurable())
				}
			}
			if !slices.Equal(calls, test.calls) {
				t.Errorf("calls = %v, want %v", calls, test.calls)
			}
		})
	}
}

func TestPublishFails(t *testing.T) {
	s := store{fail: 2}
	conn := dial(t, serve(t, nil, &events{publish: s.publish}))
	got, err := eventrelay.Publish(t.Context(), conn, "users", newEvents(250, 1), false)
	if len(got) != 100 || len(s.calls) != 2 {
		t.Errorf("%d events in %d calls", len(got), len(s.calls))
	}
	var explained *eventrelay.Error
	if !errors.As(err, &explained) || status.Code(explained.Err) != codes.Unknown {
		t.Fatalf("error = %v", err)
	}
	if !strings.HasPrefix(err.Error(), `publish to topic "users": the server failed inside (Unknown: Internal Server Error)`+"\nhint: ") {
		t.Errorf("error = %v", err)
	}
}

func TestPublishWantsEachEventBack(t *testing.T) {
	conn := dial(t, serve(t, nil, &events{publish: func(context.Context, *pb.PublishEventsRequest) (*pb.PublishEventsResponse, error) {
		return &pb.PublishEventsResponse{}, nil
	}}))
	if _, err := eventrelay.Publish(t.Context(), conn, "users", newEvents(1, 1), true); !errors.Is(err, eventrelay.ErrPublish) {
		t.Errorf("error = %v", err)
	}
}
