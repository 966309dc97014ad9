package eventrelay_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// event is field 1 of a response.
func event(body ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), slices.Concat(body...))
}

func id(text string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), text)
}

func TestPullSurvivesHostileReplies(t *testing.T) {
	good := event(id("good"))
	for name, test := range map[string]struct {
		raw     []byte
		want    []string
		trouble bool
	}{
		"no id":                 {slices.Concat(good, event(), good), []string{"good", "good"}, true},
		"id of another type":    {slices.Concat(event([]byte{1 << 3, 5}), good), []string{"good"}, true},
		"huge id":               {slices.Concat(event(id(strings.Repeat("x", 256))), good), []string{"good"}, true},
		"large id":              {event(id(strings.Repeat("x", 255))), []string{strings.Repeat("x", 255)}, false},
		"id not text":           {slices.Concat(event(id("\xff")), good), []string{"good"}, true},
		"id twice":              {event(id("first"), id("last")), []string{"last"}, false},
		"duplicates":            {slices.Concat(good, good), []string{"good", "good"}, false},
		"event of another type": {slices.Concat([]byte{1 << 3, 5}, good), []string{"good"}, false},
		"unknown field":         {slices.Concat([]byte{9<<3 | 2, 1, 'x'}, good), []string{"good"}, false},
		"cut reply":             {slices.Concat(good, good[:5]), []string{"good"}, true},
		"cut key":               {slices.Concat(good, []byte{0x80}), []string{"good"}, true},
		"cut event":             {slices.Concat(event(id("cut")[:4]), good), []string{"good"}, true},
		"length beyond all":     {slices.Concat(good, []byte{10, 255, 255, 255, 255, 255, 255, 255, 255, 127}), []string{"good"}, true},
		"field number 0":        {slices.Concat(good, []byte{0, 0}), []string{"good"}, true},
		"open group":            {slices.Concat(good, bytes.Repeat([]byte{1<<3 | 3}, 100)), []string{"good"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			log := newLogbook(t)
			f := newFake(func(context.Context, int, int) ([]byte, error) { return test.raw, nil })
			var got []string
			for _, m := range mustPull(t, f.source(log), nil, 10) {
				got = append(got, m.ID)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("ids %q, want %q", got, test.want)
			}
			if warned := len(log.lines("is malformed")) == 1; warned != test.trouble {
				t.Errorf("log = %q", log.lines(""))
			}
		})
	}
}

func TestPullBacksOffFromGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogbook(t)
		f := newFake(func(_ context.Context, call, _ int) ([]byte, error) {
			if call < 5 {
				return []byte("garbage"), nil
			}
			return reply(1), nil
		})
		mustPull(t, f.source(log), nil, 10)
		if len(log.lines("level=WARN")) != 1 || len(log.lines("pulling events again")) != 1 {
			t.Errorf("log = %q", log.lines(""))
		}
	})
}

// A server that sends more than it was asked for has locked it all.
func TestPullHandsOutASurplus(t *testing.T) {
	f := newFake(func(_ context.Context, call, _ int) ([]byte, error) {
		return [][]byte{reply(count(0, 25)...), slices.Concat(reply(25, 26, 27), []byte("garbage")), reply(28)}[call], nil
	})
	log := newLogbook(t)
	s := f.source(log)
	var got []int
	for _, want := range []int{10, 10, 5, 2, 1, 1} {
		n := min(10, max(want, 2))
		messages := mustPull(t, s, nil, n)
		if len(messages) != want {
			t.Errorf("%d messages, want %d", len(messages), want)
		}
		got = append(got, positions(messages)...)
	}
	if !slices.Equal(got, count(0, 29)) {
		t.Errorf("offsets %v", got)
	}
	if len(log.lines("is malformed")) != 1 {
		t.Errorf("log = %q", log.lines(""))
	}
}

func TestPullHandsOutASurplusWhenStopped(t *testing.T) {
	f := newFake(func(context.Context, int, int) ([]byte, error) { return reply(1, 2, 3), nil })
	s := f.source(newLogbook(t))
	mustPull(t, s, nil, 1)
	stop := make(chan struct{})
	close(stop)
	if got := positions(mustPull(t, s, stop, 5)); !slices.Equal(got, []int{2, 3}) {
		t.Errorf("offsets %v", got)
	}
	if got := mustPull(t, s, stop, 5); len(got) != 0 {
		t.Errorf("%d messages more", len(got))
	}
}

// FuzzReply holds the source to what the protobuf library makes of the same
// bytes: whatever that reads, the source reads alike.
func FuzzReply(f *testing.F) {
	f.Add(reply(1, 2, 3))
	f.Add(slices.Concat(event(id("a")), []byte{9<<3 | 2, 1, 'x'}, event()))
	f.Add(event(id("a"), []byte{13 << 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}))
	f.Add([]byte("garbage"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		stop := make(chan struct{})
		conn := newFake(func(context.Context, int, int) ([]byte, error) { close(stop); return raw, nil })
		messages := mustPull(t, conn.source(newLogbook(t)), stop, 1000)
		for _, m := range messages {
			if e, err := abi.ParseEvent(m.Event); err != nil || string(e.ID) != m.ID || int64(e.Offset) != m.Position || m.ID == "" {
				t.Fatalf("message %q at %d of event %x: %v", m.ID, m.Position, m.Event, err)
			}
		}
		var whole pb.PullQueuedEventsResponse
		if proto.Unmarshal(raw, &whole) != nil || len(whole.GetEvents()) > 1000 {
			return
		}
		same(t, whole.GetEvents(), messages)
	})
}

// same wants a message for each event with an id that is acceptable; an event
// that has a group in it is not.
func same(t *testing.T, events []*pb.Event, messages []*message.Message) {
	t.Helper()
	for _, e := range events {
		if n := len(e.GetId()); n == 0 || n > 255 {
			continue
		}
		if len(messages) == 0 || messages[0].ID != e.GetId() || messages[0].Position != int64(e.GetOffset()) {
			if raw, _ := proto.Marshal(e); hasGroup(raw) {
				continue
			}
			t.Fatalf("event %q is not among the messages", e.GetId())
		}
		messages = messages[1:]
	}
	if len(messages) > 0 {
		t.Fatalf("%d messages too many", len(messages))
	}
}

func hasGroup(raw []byte) bool {
	_, err := abi.ParseEvent(raw)
	return err != nil
}
