package served

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/relayhost/relayhost/bench/guests"
)

// Setting is what a host's configuration says beside its server.
type Setting struct {
	// Module is the guest.
	Module []byte
	// Pipelines is how many there are, 1 by default. All pull the same destination.
	Pipelines int
	// Journal keeps what is pulled, as it is by default.
	Journal bool
	// Processors, Producer and Batcher are lines of these sections.
	Processors, Producer, Batcher string
}

// host is a relayhost that runs.
type host struct {
	process *exec.Cmd
	output  io.ReadCloser
	errors  bytes.Buffer
	began   time.Time
}

// configure writes a configuration and its module into a folder.
func (s *Server) configure(dir string, c Setting) (file string, err error) {
	file = filepath.Join(dir, "relayhost.toml")
	var text bytes.Buffer
	fmt.Fprintf(&text, "cache_dir = %q\n[journal]\nenabled = %v\n", filepath.Join(dir, "cache"), c.Journal)
	for i := range max(c.Pipelines, 1) {
		fmt.Fprintf(&text, "[[pipeline]]\nname = \"p%d\"\n[pipeline.producer]\ntype = \"eventrelay\"\n"+
			"destination_id = %q\nport = %d\ntoken = { file = %q }\n%s\n", i, s.destination, s.port, s.file("tokens", "users.consumer"), c.Producer)
		if s.tls {
			fmt.Fprintf(&text, "cacertfile = %q\ncertfile = %q\nkeyfile = %q\n",
				s.file("certs", "ca.pem"), s.file("certs", "client.pem"), s.file("certs", "client-key.pem"))
		}
		fmt.Fprintf(&text, "[pipeline.plugin]\nmodule = \"guest.wasm\"\n[pipeline.processors.default]\n%s\n"+
			"[pipeline.batchers.default]\n%s\n", c.Processors, c.Batcher)
	}
	module := os.WriteFile(filepath.Join(dir, "guest.wasm"), c.Module, 0o600)
	return file, errors.Join(module, os.WriteFile(file, text.Bytes(), 0o600))
}

func (s *Server) run(ctx context.Context, file string) (*host, error) {
	h := &host{process: exec.CommandContext(ctx, s.binary, "--log-level=error", "run", "-c", file), began: time.Now()} //nolint:gosec // what Build has built
	h.process.Stderr = &h.errors
	h.process.Cancel = func() error { return h.process.Process.Signal(os.Interrupt) }
	var err error
	if h.output, err = h.process.StdoutPipe(); err != nil {
		return nil, err
	}
	return h, h.process.Start()
}

func (h *host) stop() error {
	_ = h.process.Process.Signal(os.Interrupt)
	_, _ = io.Copy(io.Discard, h.output)
	if err := h.process.Wait(); err != nil {
		return fmt.Errorf("relayhost run: %w: %s", err, h.errors.Bytes())
	}
	return nil
}

// count reads output until it has told of n events, and says when the first and the
// last of them came.
func (h *host) count(n int) (first, last time.Time, err error) {
	buffer := make([]byte, 1<<16)
	name := []byte(`"` + guests.Upcased)
	for seen := 0; seen < n; {
		// A name may lie across the end of what was read; one quote never does.
		got, err := h.output.Read(buffer)
		if err != nil {
			return first, last, fmt.Errorf("after %d of %d events: %w: %s", seen, n, err, h.errors.Bytes())
		}
		if first.IsZero() {
			first = time.Now()
		}
		seen += bytes.Count(buffer[:got], name[:1])
	}
	return first, time.Now(), nil
}

// Drain runs a host on what was published, and is how many events it has handled a
// second: from the first batch to the last.
func (s *Server) Drain(ctx context.Context, c Setting, events int) (rate float64, err error) {
	dir, err := os.MkdirTemp("", "relayhost-bench-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file, err := s.configure(dir, c)
	if err != nil {
		return 0, err
	}
	h, err := s.run(ctx, file)
	if err != nil {
		return 0, err
	}
	const quotes = 2 // for a name
	first, last, err := h.count(events * quotes)
	return float64(events) / last.Sub(first).Seconds(), errors.Join(err, h.stop())
}

// Starting is how long a host takes until its first event has been handled and
// delivered, once without and once with the module compiled before.
func (s *Server) Starting(ctx context.Context, module []byte) (cold, warm time.Duration, err error) {
	dir, err := os.MkdirTemp("", "relayhost-bench-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file, err := s.configure(dir, Setting{Module: module, Batcher: "batch_size = 1"})
	if err != nil {
		return 0, 0, err
	}
	if cold, err = s.first(ctx, file); err != nil {
		return 0, 0, err
	}
	warm, err = s.first(ctx, file)
	return cold, warm, err
}

func (s *Server) first(ctx context.Context, file string) (took time.Duration, err error) {
	if err := s.Publish(ctx, 2); err != nil {
		return 0, err
	}
	h, err := s.run(ctx, file)
	if err != nil {
		return 0, err
	}
	first, _, err := h.count(1)
	return first.Sub(h.began), errors.Join(err, h.stop())
}
