package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/relayhost/relayhost/host/devserver"
)

type eventrelayCommand struct {
	Listen    string   `default:"127.0.0.1:50051" help:"The address to listen on; port 0 takes any that is free."`
	Data      string   `placeholder:"DIR" help:"Keep events, keys and certificates there. Without it all is in memory, and gone at the end."`
	Topic     []string `placeholder:"NAME" help:"Make this topic, with a destination and keys to pull and to publish."`
	Plaintext bool     `help:"Speak without TLS. The default is mutual TLS."`
	AuthOff   bool     `help:"Let everybody do everything, without tokens."`
	Unlock    bool     `help:"Implement UnLockQueuedEvents, which the real server does not."`
	Fault     []string `placeholder:"KIND" sep:"none" help:"Fail as the real server does: ${faults}. After a colon, what differs from the defaults: \"cut:probability=0.05,method=PullEvents,count=3\", \"stall:duration=2s\"."`
}

// Run serves until the process is told to stop.
func (c *eventrelayCommand) Run(ctx context.Context, p *process) (err error) {
	faults, err := c.faults()
	if err != nil {
		return err
	}
	dir := c.Data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "relayhost-eventrelay-"); err != nil {
			return fmt.Errorf("make folder for tokens: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	server, err := newEmbedded(embeddedOptions{
		dir: dir, plaintext: c.Plaintext,
		Options: devserver.Options{
			Listen: c.Listen, DataDir: c.Data, AuthOff: c.AuthOff, Unlock: c.Unlock, Logger: p.log,
			Faults: faults, FaultSeed: rand.Uint64(), //nolint:gosec // chance, no secret
		},
	})
	if err != nil {
		return err
	}
	warnExposed(p.log, server.Addr(), c.Plaintext, c.AuthOff)
	if err := c.announce(p, server); err != nil {
		return errors.Join(err, server.Close())
	}
	return server.Run(ctx)
}

// faultKinds are the words that begin a --fault.
func faultKinds() string {
	var words []string
	for _, kind := range devserver.FaultKinds {
		words = append(words, string(kind))
	}
	return strings.Join(words, ", ")
}

// faults are those of the flags.
func (c *eventrelayCommand) faults() ([]devserver.Fault, error) {
	faults := make([]devserver.Fault, len(c.Fault))
	for i, text := range c.Fault {
		var err error
		if faults[i], err = devserver.ParseFault(text); err != nil {
			return nil, usageError{"--fault: " + err.Error()}
		}
	}
	return faults, nil
}

// announce makes the topics and says how to reach the server.
func (c *eventrelayCommand) announce(p *process, server *embedded) error {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(p.err, format+"\n", args...) }
	say("EventRelay-compatible server on localhost:%d", server.port())
	if !c.Plaintext {
		say("  certificates of clients: %s", server.certs.ClientCert)
	}
	say("  token that may do everything: %s", server.tokenFile("admin"))
	for _, topic := range c.Topic {
		destination, err := server.provision(topic)
		if err != nil {
			return err
		}
		say("topic %s: destination_id = %q", topic, destination)
		say("  pull with the token in %s", server.tokenFile(topic+".consumer"))
		say("  publish with\n    %s", server.publishing(topic))
	}
	return nil
}
