package host

import (
	"context"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
)

// given is a source of the messages that it is made with.
type given struct {
	mu       sync.Mutex
	messages []*message.Message
	acked    []string
}

func (g *given) Pull(_ context.Context, _ <-chan struct{}, n int) ([]*message.Message, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n = min(n, len(g.messages))
	pulled := g.messages[:n:n]
	if g.messages = g.messages[n:]; n == 0 {
		return nil, io.EOF
	}
	return pulled, nil
}

func (g *given) Settle(messages []*message.Message) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range messages {
		g.acked = append(g.acked, m.ID+":"+m.Outcome().Kind.String())
	}
}

// A handler that hangs among others fails at its deadline, and the others are
// acknowledged meanwhile.
func TestHungHandler(t *testing.T) {
	engine, err := plugin.Open(t.Context(), plugin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close(t.Context()) //nolint:errcheck // tested elsewhere
	file, err := os.ReadFile("plugin/testdata/puppet.wasm")
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := engine.Load(t.Context(), "puppet.wasm", file, plugin.Settings{
		Limits: plugin.Limits{Message: plugin.Limit{Deadline: 300 * time.Millisecond}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const count, spin = 12, 6 // the puppet's commands
	source := &given{}
	for i, command := range []byte{count, spin, count, count} {
		source.messages = append(source.messages, &message.Message{ID: string(rune('1' + i)), Event: []byte{command}})
	}
	p, err := pipeline.New(pipeline.Config{
		Name: "hung", Shutdown: time.Minute,
		Producer:   pipeline.ProducerConfig{Concurrency: 1},
		Processors: pipeline.ProcessorsConfig{Concurrency: 2, MaxDemand: 1},
	}, source, slots{loaded})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if last := source.acked[3]; len(source.acked) != 4 || last != "2:deadline" {
		t.Errorf("acked %v, want the hung one last", source.acked)
	}
	if err := loaded.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
