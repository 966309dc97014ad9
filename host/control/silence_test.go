package control_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/control"
)

// pipes is a listener without a network, for virtual time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.done)
	return nil
}

func (*pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// A peer that sends only a part of a request, or takes only a part of an answer, is
// given up in time.
func TestSilentPeers(t *testing.T) {
	for name, c := range map[string]struct {
		request string
		within  time.Duration
	}{
		"nothing":              {"", 5 * time.Second},
		"half":                 {"GET /v1/sta", 5 * time.Second},
		"no body":              {"POST /v1/deadletters/retry HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{", 2 * time.Second},
		"a body of a question": {"GET /v1/status HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n", 2 * time.Second},
		"a body of nothing":    {"PUT /v1/status HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n", 2 * time.Second},
		"a body too long": {
			"POST /v1/deadletters/retry HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", 2 * time.Second,
		},
		"no module": {
			"POST /v1/pipelines/users/plugin/swap HTTP/1.1\r\nHost: h\r\nContent-Type: application/wasm\r\nContent-Length: 9\r\n\r\n\x00as",
			10 * time.Second,
		},
		"no reading": {"GET /v1/deadletters HTTP/1.1\r\nHost: h\r\n\r\n", 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { silentPeer(t, c.request, c.within) }) })
	}
}

func silentPeer(t *testing.T, request string, within time.Duration) {
	t.Helper()
	l, host := newPipes(), &fake{letters: 1 << 30}
	server := control.NewServer(l, host)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	peer := l.dial()
	go func() { _, _ = io.WriteString(peer, request) }()
	time.Sleep(within + time.Second)
	synctest.Wait()
	// What comes now is what had been written: the connection has its end.
	_ = peer.SetReadDeadline(time.Now().Add(time.Second)) // fails on one that is closed
	if _, err := io.Copy(io.Discard, peer); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a second after its time the peer is not given up")
	}
	must(t, peer.Close())
	cancel()
	must(t, <-done)
}

// A module may come slowly, as long as it comes, but not for ever.
func TestSlowModule(t *testing.T) {
	for size, want := range map[int]int{30: http.StatusOK, 40: http.StatusBadRequest} {
		synctest.Test(t, func(t *testing.T) { slowModule(t, size, want) })
	}
}

func slowModule(t *testing.T, size, want int) {
	t.Helper()
	l := newPipes()
	server := control.NewServer(l, &fake{})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := server.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	peer := l.dial()
	running.Go(func() {
		_, err := fmt.Fprintf(peer, "POST /v1/pipelines/users/plugin/swap HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"+
			"Content-Type: application/wasm\r\nContent-Length: %d\r\n\r\n", size)
		for range size {
			if time.Sleep(9 * time.Second); err == nil {
				_, err = io.WriteString(peer, "x")
			}
		}
	})
	response, err := http.ReadResponse(bufio.NewReader(peer), nil)
	must(t, err)
	if response.StatusCode != want {
		t.Errorf("a module of %d bytes: %s", size, response.Status)
	}
	must(t, response.Body.Close())
	must(t, peer.Close())
	cancel()
	running.Wait()
}

// A client gives a host up that accepts and says nothing more, and one that takes
// long in the middle of a list; it waits for whoever takes long to read one.
func TestSilentHost(t *testing.T) {
	const list = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n"
	for name, c := range map[string]struct {
		answer string
		lines  int
	}{"nothing": {"", 0}, "half a list": {list, 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { silentHost(t, c.answer, c.lines) })
		})
	}
}

func silentHost(t *testing.T, answer string, lines int) {
	t.Helper()
	ours, theirs := net.Pipe()
	go func() {
		_, _ = http.ReadRequest(bufio.NewReader(theirs))
		_, _ = io.WriteString(theirs, answer)
	}()
	client := control.NewClient(func(context.Context) (net.Conn, error) { return ours, nil })
	start, n := time.Now(), 0
	var last error
	for _, err := range client.DeadLetters(t.Context(), control.Query{}) {
		if last = err; err == nil {
			n++
			time.Sleep(time.Hour)
		}
	}
	if last == nil || !strings.Contains(last.Error(), "it does not answer") || errors.Is(last, context.Canceled) {
		t.Errorf("a silent host: %v", last)
	}
	if took := time.Since(start); n != lines || took > time.Duration(n)*time.Hour+time.Minute {
		t.Errorf("%d lines in %v", n, took)
	}
	must(t, theirs.Close())
}
