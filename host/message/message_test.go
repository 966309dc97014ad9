package message_test

import (
	"slices"
	"strconv"
	"testing"
	"unsafe"

	"go.uber.org/goleak"

	"github.com/relayhost/relayhost/host/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSettlesOnce(t *testing.T) {
	var m message.Message
	if m.Settled() {
		t.Error("settled before it began")
	}
	if !m.Settle(message.Failed(message.Trap, "unreachable")) {
		t.Error("the first settlement did not count")
	}
	if m.Settle(message.Outcome{}) {
		t.Error("the second settlement counted")
	}
	if o := m.Outcome(); o.Kind != message.Trap || o.Reason != "unreachable" || !m.Settled() {
		t.Errorf("outcome %+v, want the first", o)
	}
}

// What becomes of nearly every message costs nothing, and what all of them carry
// is small: a field that few messages need is better behind a pointer.
func TestMessagesAreCheap(t *testing.T) {
	if size := unsafe.Sizeof(message.Message{}); size > 216 {
		t.Errorf("a message has %d bytes", size)
	}
	var set message.Set
	set.Add(&message.Message{})
	messages := make([]message.Message, 101) // one more for the warm-up
	next := 0
	if n := testing.AllocsPerRun(100, func() {
		m := &messages[next]
		next++
		set.Add(m)
		m.Settle(message.Outcome{})
		set.Remove(m)
	}); n > 0 {
		t.Errorf("a message that is ok allocates %v times", n)
	}
}

func TestApply(t *testing.T) {
	before := func() *message.Message {
		return &message.Message{Data: []byte("old"), Batcher: "default", BatchKey: "k", Flush: true}
	}
	for _, c := range []struct {
		name             string
		patch            message.Patch
		data, batch, key string
		flush            bool
	}{
		{"nothing", message.Patch{}, "old", "default", "k", true},
		{"data", message.Patch{Data: []byte("new")}, "new", "default", "k", true},
		{"empty data", message.Patch{Data: []byte{}}, "", "default", "k", true},
		{"route", message.Patch{SetBatcher: true, Batcher: "b", SetBatchKey: true}, "old", "b", "", true},
		{"bulk", message.Patch{SetFlush: true}, "old", "default", "k", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := before()
			m.Apply(&c.patch)
			if string(m.Data) != c.data || m.Batcher != c.batch || m.BatchKey != c.key || m.Flush != c.flush {
				t.Errorf("got %q %q %q %v", m.Data, m.Batcher, m.BatchKey, m.Flush)
			}
		})
	}
}

func TestKindNames(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range message.Kinds() {
		if name := k.String(); name == "" || name == "unknown" || seen[name] {
			t.Errorf("kind %d is called %q", k, name)
		} else {
			seen[name] = true
		}
	}
	if got := message.Kind(200).String(); got != "unknown" {
		t.Errorf("kind 200 is called %q", got)
	}
}

func TestSet(t *testing.T) {
	var s, other message.Set
	all := make([]*message.Message, 5)
	for i := range all {
		all[i] = &message.Message{ID: strconv.Itoa(i)}
		s.Add(all[i])
	}
	check := func(want ...string) {
		t.Helper()
		var got []string
		for m := range s.All() {
			got = append(got, m.ID)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) || s.Len() != len(want) {
			t.Errorf("the set holds %v (%d), want %v", got, s.Len(), want)
		}
	}
	check("0", "1", "2", "3", "4")
	if other.Remove(all[1]) {
		t.Error("removed from a set that it is not in")
	}
	for _, i := range []int{2, 0, 4} { // the middle, the first, the last
		if !s.Remove(all[i]) {
			t.Errorf("%d was not in", i)
		}
	}
	check("1", "3")
	if s.Remove(all[0]) {
		t.Error("removed twice")
	}
	s.Add(all[0])
	check("0", "1", "3")
	for _, i := range []int{0, 1, 3} {
		s.Remove(all[i])
	}
	check()
	defer func() {
		if recover() == nil {
			t.Error("a message was added twice")
		}
	}()
	s.Add(all[0])
	other.Add(all[0])
}

func TestSetAllStops(t *testing.T) {
	var s message.Set
	s.Add(&message.Message{ID: "a"})
	s.Add(&message.Message{ID: "b"})
	for m := range s.All() {
		if m.ID != "a" {
			t.Error("went on after break")
		}
		break
	}
}
