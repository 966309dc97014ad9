package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/relayhost/relayhost/host/devserver"
	"github.com/relayhost/relayhost/host/devserver/pki"
)

// certificateLife is how long the embedded server's certificates hold; they
// are made anew a day before.
const certificateLife = 365 * 24 * time.Hour

// embedded is an EventRelay-compatible server in this process, with the files
// that its clients need: certs/ and tokens/ in its folder.
type embedded struct {
	*devserver.Server
	dir   string
	certs pki.Files // zero without TLS
}

// embeddedOptions are devserver's, with a folder for the clients' files.
type embeddedOptions struct {
	devserver.Options
	dir       string
	plaintext bool
}

func newEmbedded(o embeddedOptions) (*embedded, error) {
	e := &embedded{dir: o.dir}
	if err := os.MkdirAll(filepath.Join(o.dir, "tokens"), 0o700); err != nil {
		return nil, fmt.Errorf("make token folder: %w", err)
	}
	var err error
	if !o.plaintext {
		if o.TLS, e.certs, err = certificates(filepath.Join(o.dir, "certs")); err != nil {
			return nil, err
		}
	}
	if e.Server, err = devserver.New(o.Options); err != nil {
		return nil, err
	}
	if err := e.keep("admin", e.AdminToken()); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// certificates keeps those that are there, if they hold for another day.
func certificates(dir string) (*tls.Config, pki.Files, error) {
	set, written, err := pki.Read(dir)
	if err == nil && set.ValidAt(time.Now().Add(24*time.Hour)) {
		config, err := set.ServerTLS()
		return config, written, err
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, pki.Files{}, err
	}
	if set, err = pki.New(certificateLife); err != nil {
		return nil, pki.Files{}, err
	}
	if written, err = set.Write(dir); err != nil {
		return nil, pki.Files{}, err
	}
	config, err := set.ServerTLS()
	return config, written, err
}

// port is the one that the server listens on.
func (e *embedded) port() int {
	a, _ := e.Addr().(*net.TCPAddr)
	return a.Port
}

// tokenFile is where a token or an id is kept for clients.
func (e *embedded) tokenFile(name string) string { return filepath.Join(e.dir, "tokens", name) }

// keep writes a token, or an id that goes with one, for clients to read.
func (e *embedded) keep(name, text string) error {
	if err := os.WriteFile(e.tokenFile(name), []byte(text+"\n"), 0o600); err != nil {
		return fmt.Errorf("write token: %w", err)
	}
	return nil
}

// provision makes a topic with a destination, a key that pulls from it and one
// that publishes to it, unless it did so when the server ran before. It returns
// the destination's id.
func (e *embedded) provision(topic string) (destination string, err error) {
	err = e.CreateTopic(topic)
	existed := status.Code(err) == codes.AlreadyExists
	if err != nil && !existed {
		return "", fmt.Errorf("create topic %q: %w", topic, err)
	}
	if known, err := os.ReadFile(e.tokenFile(topic + ".destination")); err == nil && existed {
		return strings.TrimSpace(string(known)), nil
	}
	if destination, err = e.CreateDestination(devserver.Destination{Name: topic + "-relayhost", Topic: topic}); err != nil {
		return "", fmt.Errorf("create destination of topic %q: %w", topic, err)
	}
	consumer, err := e.CreateConsumerKey(destination)
	if err != nil {
		return "", err
	}
	producer, err := e.CreateProducerKey(topic)
	if err != nil {
		return "", err
	}
	return destination, errors.Join(
		e.keep(topic+".destination", destination),
		e.keep(topic+".consumer", consumer),
		e.keep(topic+".producer", producer),
	)
}

// publishing is the command that publishes one more event to a topic.
func (e *embedded) publishing(topic string) string {
	command := "relayhost publish " + topic +
		` --name user.created --data '{"person": {"first_name": "Ada"}}'` +
		" --port " + strconv.Itoa(e.port()) +
		" --token-file " + e.tokenFile(topic+".producer")
	if e.certs.CACert != "" {
		command += " --cacertfile " + e.certs.CACert + " --certfile " + e.certs.ClientCert + " --keyfile " + e.certs.ClientKey
	}
	return command
}

// warnExposed says what a listener that others can reach lets them do.
func warnExposed(log *slog.Logger, address net.Addr, plaintext, authOff bool) {
	a, ok := address.(*net.TCPAddr)
	if !ok || a.IP.IsLoopback() {
		return
	}
	if plaintext {
		log.Warn("tokens and events cross the network unencrypted", "listen", address)
	}
	if authOff {
		log.Warn("everybody who reaches this address may do everything", "listen", address)
	}
}
