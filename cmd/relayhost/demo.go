package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/devserver"
	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/plugins"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

const (
	demoTopic = "users"
	// demoPatience is how long the demo waits for its own events.
	demoPatience = time.Minute
)

type demoCommand struct {
	Keep bool `help:"Leave the server and the pipeline running, and say how to publish more."`
}

// Run starts a server, publishes the guide's events, and runs a pipeline on
// them until they are settled.
func (c *demoCommand) Run(ctx context.Context, p *process) (err error) {
	dir, err := os.MkdirTemp("", "relayhost-demo-")
	if err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := newEmbedded(embeddedOptions{dir: dir, Options: devserver.Options{Logger: p.log}})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- server.Run(serving) }()
	defer func() { stop(); err = errors.Join(err, <-served) }()

	p.log.Info("server is up", "address", server.Addr(), "tls", "mutual")
	loaded, err := c.prepare(ctx, p, server)
	if err != nil {
		return err
	}
	return c.work(ctx, p, server, loaded)
}

// prepare publishes the events and writes the pipeline's configuration.
func (c *demoCommand) prepare(ctx context.Context, p *process, server *embedded) (*config.Config, error) {
	destination, err := server.provision(demoTopic)
	if err != nil {
		return nil, err
	}
	if err := publishGuide(ctx, server); err != nil {
		return nil, err
	}
	p.log.Info("published the guide's events", "topic", demoTopic, "events", len(guideEvents()))

	module := filepath.Join(server.dir, "upcase.wasm")
	if err := os.WriteFile(module, plugins.Upcase, 0o600); err != nil {
		return nil, fmt.Errorf("write plugin: %w", err)
	}
	file := filepath.Join(server.dir, "relayhost.toml")
	if err := os.WriteFile(file, []byte(demoConfig(server, destination)), 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return config.Load(file)
}

// demoConfig is the guide's pipeline. Its paths are relative to its own folder.
func demoConfig(server *embedded, destination string) string {
	return fmt.Sprintf(`[[pipeline]]
name = %[1]q
[pipeline.producer]
type = "eventrelay"
destination_id = %[2]q
host = "localhost"
port = %[3]d
token = { file = "tokens/%[1]s.consumer" }
cacertfile = "certs/ca.pem"
certfile = "certs/client.pem"
keyfile = "certs/client-key.pem"
pull_interval = "200ms"
[pipeline.plugin]
module = "upcase.wasm"
[pipeline.batchers.default]
batch_size = 10
batch_timeout = "2s"
`, demoTopic, destination, server.port())
}

// work runs the pipeline until the demo's events are settled, or for ever.
func (c *demoCommand) work(ctx context.Context, p *process, server *embedded, loaded *config.Config) error {
	h, err := host.New(ctx, loaded, host.Options{Stdout: p.out, Logger: p.log})
	if err != nil {
		return err
	}
	if c.Keep {
		_, _ = fmt.Fprintf(p.err, "publish more with\n  %s\nstop with Ctrl-C\n", server.publishing(demoTopic))
		return h.Run(ctx)
	}
	running, stop := context.WithTimeout(ctx, demoPatience)
	defer stop()
	go stopWhenSettled(running, h, stop)
	if err := h.Run(running); err != nil {
		return err
	}
	return judge(h)
}

// stopWhenSettled ends the demo when all its events have an outcome.
func stopWhenSettled(ctx context.Context, h *host.Host, stop func()) {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if h.Books()[demoTopic].SettledTotal() >= int64(len(guideEvents())) {
				stop()
			}
		case <-ctx.Done():
			return
		}
	}
}

// judge is an error unless every event of the demo succeeded.
func judge(h *host.Host) error {
	b, want := h.Books()[demoTopic], int64(len(guideEvents()))
	if ok := b.SettledOK(); ok != want {
		return fmt.Errorf("%d of the demo's %d events succeeded; the log above says what became of the others", ok, want)
	}
	return nil
}

// publishGuide publishes as any client would: over the wire, with a producer's
// token and a client certificate.
func publishGuide(ctx context.Context, s *embedded) error {
	client := server{
		Host: "localhost", Port: s.port(), TokenFile: s.tokenFile(demoTopic + ".producer"),
		CACertfile: s.certs.CACert, Certfile: s.certs.ClientCert, Keyfile: s.certs.ClientKey,
	}
	conn, err := client.dial()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_, err = eventrelay.Publish(ctx, conn, demoTopic, guideEvents(), true)
	return err
}

// guideEvents are the two events of EventRelay's guide.
func guideEvents() []*pb.NewEvent {
	return []*pb.NewEvent{
		guideEvent("Bill", "Roberts", "https://twitter.com/billroberts", "7ea8e8b4-8b5e-4c9e-a6b1-3f0a3a2f6a01"),
		guideEvent("Betty", "Roberts", "https://twitter.com/bettyroberts", "0b4ef1f2-6b0d-4c43-9a68-1d4a27d0a502"),
	}
}

func guideEvent(first, last, twitter, id string) *pb.NewEvent {
	data, _ := json.Marshal(map[string]any{"person": map[string]string{ //nolint:errchkjson // texts only
		"first_name": first, "last_name": last, "twitter_url": twitter, "uuid": id,
	}})
	return &pb.NewEvent{
		Name: "user.created", Source: "MyApp", Data: string(data),
		Context: map[string]string{"ip_address": "127.0.0.1"},
	}
}
