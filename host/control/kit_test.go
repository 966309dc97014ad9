package control_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/control"
)

// fake is a host of so many dead letters, numbered from 1 on.
type fake struct {
	mu      sync.Mutex
	letters int
	// broken is the error that ends a list, and what everything else returns.
	broken error
	asked  []control.Filter
	query  control.Query
	orders []order
	// entered has an item for each request for the status, which waits for gate
	// if there is one.
	entered chan struct{}
	gate    chan struct{}
}

var moment = time.Date(2026, 11, 25, 12, 0, 0, 123456789, time.UTC)

func letter(n int, whole bool) control.DeadLetter {
	d := control.DeadLetter{
		ID: fmt.Sprintf("%012d", n), Pipeline: "users", EventID: fmt.Sprint("event-", n), Position: int64(n), Kind: "trap",
		Reason: "a <reason>\nof two lines", Attempts: 3, Plugin: "sha256:abc", Received: moment, Failed: moment.Add(time.Second), Size: 3,
	}
	if whole {
		d.Trace, d.Event = "at $f", []byte{0, 0xff, 7}
	}
	return d
}

func (f *fake) Status(ctx context.Context) (control.Status, error) {
	if f.gate != nil {
		f.entered <- struct{}{}
		select {
		case <-f.gate:
		case <-ctx.Done():
			return control.Status{}, ctx.Err()
		}
	}
	lag := int64(7)
	return control.Status{
		Running: true, Version: "1", PID: 42, Started: moment,
		Pipelines: []control.Pipeline{{
			Name: "users", Phase: "running", PluginState: &control.PluginState{Stage: "compile", Candidate: strings.Repeat("0a", 32)},
			Received: 10, Settled: map[string]int64{"ok": 7, "trap": 1}, InFlight: 2, Lag: &lag,
		}},
		Journal: &control.Journal{Dir: "j", Bytes: 1, MaxBytes: 2},
	}, f.broken
}

func (f *fake) DeadLetters(_ context.Context, q control.Query) iter.Seq2[control.DeadLetter, error] {
	return func(yield func(control.DeadLetter, error) bool) {
		f.mu.Lock()
		f.query = q
		f.mu.Unlock()
		n := f.letters
		if len(q.IDs) > 0 {
			n = len(q.IDs)
		}
		for i := range n {
			if !yield(letter(i+1, q.Whole), nil) {
				return
			}
		}
		if f.broken != nil {
			yield(control.DeadLetter{}, f.broken)
		}
	}
}

func (f *fake) DeadLetter(_ context.Context, id string) (control.DeadLetter, error) {
	if id != "000000000001" {
		return control.DeadLetter{}, fmt.Errorf("%w", errors.Join(control.ErrNotFound))
	}
	return letter(1, true), f.broken
}

func (f *fake) Retry(_ context.Context, filter control.Filter) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, filter)
	return max(len(filter.IDs), 1), f.broken
}

func (f *fake) Purge(ctx context.Context, filter control.Filter) (int, error) {
	return f.Retry(ctx, filter)
}

// socket is a path that is short enough everywhere.
func socket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rh")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return filepath.Join(dir, "host.sock")
}

// serve runs a server and returns its socket and what stops it.
func serve(t *testing.T, h control.Host) (path string, stop func()) {
	t.Helper()
	path = socket(t)
	return path, serveAt(t, path, h)
}

func serveAt(t *testing.T, path string, h control.Host) (stop func()) {
	t.Helper()
	s, err := control.Listen(path, h)
	must(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		must(t, s.Close())
	})
	t.Cleanup(stop)
	return stop
}

func dial(t *testing.T, path string) *control.Client {
	t.Helper()
	c, err := control.Dial(path)
	must(t, err)
	return c
}

func connect(t *testing.T, path string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", path)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
