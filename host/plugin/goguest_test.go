package plugin_test

import (
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/plugins"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

func event(t testing.TB, data string) *message.Message {
	t.Helper()
	b, err := proto.Marshal(&pb.Event{Id: "1", Name: "user.created", Data: data})
	if err != nil {
		t.Fatal(err)
	}
	return &message.Message{ID: "1", Event: b, Attempt: 1}
}

func person(name string) string { return `{"person": {"first_name": "` + name + `"}}` }

// A real Go guest, on several slots at once.
func TestGoGuest(t *testing.T) {
	engine, _ := open(t, plugin.Options{})
	p := load(t, engine, plugins.Upcase, plugin.Settings{NeedBatch: true})
	var wg sync.WaitGroup
	for range 3 {
		slot := newSlot(t, p)
		wg.Go(func() {
			for range 500 {
				if got := slot.HandleMessage(event(t, person("Bill"))); string(got.Data) != "BILL" {
					t.Errorf("got %+v", got)
				}
			}
			b := &message.Batch{Messages: []*message.Message{event(t, "{}"), event(t, "{}")}}
			b.Messages[0].Data, b.Messages[1].Data = []byte("BILL"), []byte("BETTY")
			got := slot.HandleBatch(b)
			if len(got.Records) != 1 || !strings.HasSuffix(string(got.Records[0].Data), `["BILL", "BETTY"]`) {
				t.Errorf("got %+v", got)
			}
		})
	}
	wg.Wait()
}

func TestGoGuestBadEvents(t *testing.T) {
	slot, _ := start(t, plugins.Upcase)
	for _, data := range []string{"", "null", "{", `{"person": 1}`, `{"person": {}}`, `{"person": {"first_name": null}}`, "\xff"} {
		m := event(t, "{}")
		m.Event = append([]byte{0x22, byte(len(data))}, data...)
		if got := slot.HandleMessage(m); got.Kind != message.Handler || got.Reason == "" {
			t.Errorf("%q: %v %q", data, got.Kind, got.Reason)
		}
	}
	malformed := &message.Message{Event: []byte("\x22\xff")}
	if got := slot.HandleMessage(malformed); got.OK() {
		t.Errorf("a malformed event: %+v", got)
	}
	if got := slot.HandleMessage(event(t, person("x"))); !got.OK() {
		t.Errorf("after it: %v %q", got.Kind, got.Reason)
	}
}
