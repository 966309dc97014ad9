// Package served measures the relayhost binary against an EventRelay server in
// another process. Start with [Build], [Start] a server and [Server.Publish] events,
// then [Server.Drain] them.
package served

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/relayhost/relayhost/bench/guests"
	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/host/secret"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// Build builds the binary into a folder.
func Build(ctx context.Context, root, dir string) (binary string, err error) {
	binary = filepath.Join(dir, "relayhost")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/relayhost") //nolint:gosec // a folder of the caller's
	build.Dir, build.Stderr = root, os.Stderr
	return binary, build.Run()
}

// Server is an EventRelay server in memory.
type Server struct {
	binary, destination string
	dir                 string // of its certificates and tokens
	port                int
	tls                 bool
	process             *exec.Cmd
}

// Start starts a server, which speaks mutual TLS or plaintext.
func Start(ctx context.Context, binary string, tls bool) (*Server, error) {
	s := &Server{binary: binary, tls: tls}
	arguments := []string{"eventrelay", "--listen", "127.0.0.1:0", "--topic", "users"}
	if !tls {
		arguments = append(arguments, "--plaintext")
	}
	s.process = exec.CommandContext(ctx, binary, arguments...)
	s.process.Cancel = func() error { return s.process.Process.Signal(os.Interrupt) }
	output, err := s.process.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	if err := s.read(output); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

var (
	portLine        = regexp.MustCompile(`server on localhost:(\d+)`)
	destinationLine = regexp.MustCompile(`destination_id = "([^"]+)"`)
	tokenLine       = regexp.MustCompile(`everything: (.*)/tokens/admin`)
)

// read takes what the server announces.
func (s *Server) read(output io.ReadCloser) error {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		line := lines.Text()
		if found := portLine.FindStringSubmatch(line); found != nil {
			s.port, _ = strconv.Atoi(found[1])
		}
		if found := tokenLine.FindStringSubmatch(line); found != nil {
			s.dir = found[1]
		}
		if found := destinationLine.FindStringSubmatch(line); found != nil {
			s.destination = found[1]
		}
		if strings.Contains(line, "relayhost publish users") {
			go func() { _, _ = io.Copy(io.Discard, output) }()
			return nil
		}
	}
	return fmt.Errorf("the server has ended: %w", lines.Err())
}

// Close ends the server.
func (s *Server) Close() error {
	return errors.Join(s.process.Process.Signal(os.Interrupt), s.process.Wait())
}

func (s *Server) file(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// Publish stores n events.
func (s *Server) Publish(ctx context.Context, n int) error {
	const connections, piece = 2, 1000
	token, err := os.ReadFile(s.file("tokens", "users.producer"))
	if err != nil {
		return err
	}
	options := eventrelay.Options{Host: "localhost", Port: s.port, Token: secret.New(strings.TrimSpace(string(token)))}
	if s.tls {
		options.CACertFile = s.file("certs", "ca.pem")
		options.CertFile, options.KeyFile = s.file("certs", "client.pem"), s.file("certs", "client-key.pem")
	}
	var group errgroup.Group
	for range connections {
		group.Go(func() error {
			conn, err := eventrelay.Dial(options)
			if err != nil {
				return err
			}
			for left := n / connections; left > 0 && err == nil; left -= piece {
				_, err = eventrelay.Publish(ctx, conn, "users", drafts(min(left, piece)), true)
			}
			return errors.Join(err, conn.Close())
		})
	}
	return group.Wait()
}

func drafts(n int) []*pb.NewEvent {
	all := make([]*pb.NewEvent, n)
	for i := range all {
		all[i] = &pb.NewEvent{Name: "user.created", Source: "bench", Data: guests.Data}
	}
	return all
}
