package control_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/control"
)

// send sends a request as it is, and returns the answer.
func send(t *testing.T, path, request string) (status int, body string) {
	t.Helper()
	conn := connect(t, path)
	_, err := io.WriteString(conn, request)
	must(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	must(t, err)
	return response.StatusCode, string(text)
}

func get(target string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
}

func post(target, body string) string { return postAs(target, "application/json", body) }

func postAs(target, contentType, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		target, contentType, len(body), body)
}

// What is not understood is refused with a reason, and nothing is done.
func TestHostileRequests(t *testing.T) {
	host := &fake{letters: 1}
	path, _ := serve(t, host)
	for _, c := range []struct {
		request string
		status  int
		says    string
	}{
		{get("/"), 404, `there is no \"GET\" of \"/\"`},
		{get("/v2/status"), 404, "there is no"},
		{post("/v1/status", "{}"), 404, "there is no"},
		{"DELETE /v1/deadletters HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 404, "there is no"},
		{get("/v1/status?verbose=1"), 400, "takes no parameters"},
		{get("/v1/deadletters?colour=red"), 400, "unknown parameter"},
		{get("/v1/deadletters?kind=red"), 400, "want one of handler, trap"},
		{get("/v1/deadletters?kind=ok"), 400, "want one of handler, trap"},
		{get("/v1/deadletters?kind=trap&kind=fuel"), 400, "given twice"},
		{get("/v1/deadletters?since=yesterday"), 400, "want a date and time"},
		{get("/v1/deadletters?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z"), 400, "nothing is between"},
		{get("/v1/deadletters?limit=-1"), 400, "limit is -1"},
		{get("/v1/deadletters?limit=99999999999999999999"), 400, "want a number"},
		{get("/v1/deadletters?whole=yes"), 400, "want true"},
		{get("/v1/deadletters?a=%zz"), 400, "cannot be read"},
		{get("/v1/deadletters?id="), 400, "an id is"},
		{get("/v1/deadletters?" + strings.Repeat("id=1&", 1001) + "id=1"), 400, "at most 1000"},
		{get("/v1/deadletters?pipeline=" + strings.Repeat("p", 1001)), 400, "more than 1000 bytes"},
		{get("/v1/deadletters/" + strings.Repeat("7", 65)), 400, "an id is"},
		{get("/v1/deadletters/7"), 404, "no such dead letter"},
		{get("/v1/deadletters?pipeline=" + strings.Repeat("p", 100<<10)), 431, ""},
		{post("/v1/deadletters/retry", ""), 400, "there is no filter"},
		{post("/v1/deadletters/retry", "null 1"), 400, "more than one"},
		{post("/v1/deadletters/retry", "[]"), 400, "cannot be read"},
		{post("/v1/deadletters/retry", `{"pipelin": "x"}`), 400, "unknown field"},
		{post("/v1/deadletters/retry", `{"limit": -1}`), 400, "limit is -1"},
		{post("/v1/deadletters/retry?x=1", `{}`), 400, "takes no parameters"},
		{post("/v1/deadletters/purge", `{}`), 400, "every dead letter"},
		{post("/v1/deadletters/purge", `{"ids": []}`), 400, "every dead letter"},
		{post("/v1/deadletters/purge", `{"plugin": "`+strings.Repeat("x", 300<<10)+`"}`), 413, "more than"},
		{"nonsense\r\n\r\n", 400, ""},
	} {
		status, body := send(t, path, c.request)
		if status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%.60q: %d %s, want %d and %q", c.request, status, body, c.status, c.says)
		}
	}
	if len(host.asked) > 0 {
		t.Errorf("the host was asked to do %+v", host.asked)
	}
}

// Peers that say nothing, or half of something, keep nobody from an answer, nor
// the server from its end.
func TestPeersThatHang(t *testing.T) {
	path, stop := serve(t, &fake{})
	for _, half := range []string{"", "GET /v1/sta", "POST /v1/deadletters/retry HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{"} {
		for range 20 {
			_, err := io.WriteString(connect(t, path), half)
			must(t, err)
		}
	}
	// At most so many requests are under way, and their bodies have 2 s.
	c := dial(t, path)
	for {
		if _, err := c.Status(t.Context()); err == nil {
			break
		} else if !strings.Contains(err.Error(), "requests are being answered") {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
}

// More requests at a time than the host answers are told so.
func TestTooManyRequests(t *testing.T) {
	host := &fake{entered: make(chan struct{}, 100), gate: make(chan struct{})}
	path, _ := serve(t, host)
	c := dial(t, path)
	done := make(chan error, 16)
	for range 16 {
		go func() {
			_, err := c.Status(t.Context())
			done <- err
		}()
	}
	for range 16 {
		<-host.entered
	}
	if _, err := c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "ask again later") {
		t.Errorf("the 17th request: %v", err)
	}
	close(host.gate)
	for range 16 {
		must(t, <-done)
	}
}

// A peer that reads nothing of a long list is given up, without a trace: here
// when it goes away, which is also how a client ends a list that it has enough of.
func TestPeerThatGoesAway(t *testing.T) {
	path, stop := serve(t, &fake{letters: 1 << 30})
	conn := connect(t, path)
	_, err := io.WriteString(conn, get("/v1/deadletters"))
	must(t, err)
	must(t, conn.Close())
	for _, err := range dial(t, path).DeadLetters(t.Context(), control.Query{}) {
		must(t, err)
		break
	}
	stop()
}

// What a host answers that is none is an error, and so is one that goes away in
// the middle.
func TestHostileHost(t *testing.T) {
	for name, answer := range map[string]string{
		"nonsense":   "nonsense\r\n\r\n",
		"no JSON":    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd",
		"half":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{\"",
		"a redirect": "HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n",
		"no reason":  "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}",
		"nothing":    "",
	} {
		t.Run(name, func(t *testing.T) {
			path := socket(t)
			l, err := net.Listen("unix", path)
			must(t, err)
			done := make(chan struct{})
			go func() {
				defer close(done)
				answerAll(l, answer)
			}()
			c := dial(t, path)
			if _, err := c.Status(t.Context()); err == nil {
				t.Error("status without an error")
			}
			var last error
			for _, err := range c.DeadLetters(t.Context(), control.Query{}) {
				last = err
			}
			if last == nil {
				t.Error("a list without an error")
			}
			must(t, l.Close())
			<-done
		})
	}
}

// answerAll answers each request with the same text.
func answerAll(l net.Listener, answer string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = http.ReadRequest(bufio.NewReader(conn))
		_, _ = io.WriteString(conn, answer)
		_ = conn.Close()
	}
}

// A client that is told to stop does not wait for a host that hangs.
func TestClientIsInterrupted(t *testing.T) {
	host := &fake{entered: make(chan struct{}, 1), gate: make(chan struct{})}
	path, _ := serve(t, host)
	c := dial(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-host.entered
		cancel()
	}()
	if _, err := c.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("status: %v", err)
	}
}
