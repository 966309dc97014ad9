package relay_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/proto/eventrelay"
)

// build makes a plugin of a command of testdata.
func build(t testing.TB, name string) *plugin.Plugin {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".wasm")
	compile := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", file, "./testdata/"+name)
	compile.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	wasm, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := plugin.Open(t.Context(), plugin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := engine.Load(t.Context(), name, wasm, plugin.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = loaded.Close(t.Context()), engine.Close(t.Context()) })
	return loaded
}

// guest is a slot of a command of testdata.
func guest(t testing.TB, name string) *plugin.Slot {
	t.Helper()
	slot, err := build(t, name).NewSlot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slot.Close(t.Context()) })
	return slot
}

// guide is an event's data as EventRelay's guide has it.
const guide = `{"person":{"first_name":"Bill","last_name":"Roberts","twitter_url":"https://twitter.com/billroberts",` +
	`"uuid":"7ea8e8b4-8b5e-4c9e-a6b1-3f0a3a2f6a01"}}`

func named(t testing.TB, name string) *message.Message {
	t.Helper()
	b, err := proto.Marshal(&eventrelay.Event{Name: name, Data: guide})
	if err != nil {
		t.Fatal(err)
	}
	return &message.Message{Event: b}
}

// A guest's main runs before its handlers, and both ways of reading agree.
func TestGuest(t *testing.T) {
	slot := guest(t, "jsonguest")
	for _, way := range []string{"nothing", "scanner", "library", "scanner"} {
		if p := slot.HandleMessage(named(t, way)); string(p.Data) != "Bill" || !p.OK() {
			t.Errorf("%s: got %+v", way, p)
		}
	}
}

// BenchmarkGuestJSON is the scanner beside encoding/json in one guest, message
// by message in turn, less what a message costs whose data is not read.
func BenchmarkGuestJSON(b *testing.B) {
	slot := guest(b, "jsonguest")
	orders := []*message.Message{named(b, "nothing"), named(b, "scanner"), named(b, "library")}
	times := make([]time.Duration, len(orders))
	for b.Loop() {
		for i, m := range orders {
			began := time.Now()
			if p := slot.HandleMessage(m); string(p.Data) != "Bill" {
				b.Fatalf("got %+v", p)
			}
			times[i] += time.Since(began)
		}
	}
	for i := range times {
		times[i] /= time.Duration(b.N)
	}
	b.ReportMetric(float64(times[0]), "message-ns")
	b.ReportMetric(float64(times[1]-times[0]), "scanner-ns")
	b.ReportMetric(float64(times[2]-times[0]), "encoding/json-ns")
	b.ReportMetric(float64(times[2]-times[0])/float64(times[1]-times[0]), "ratio")
}
