package devserver

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc/peer"
)

// tap is a listener that knows its connections, so that a call's can be cut or
// slowed, and can have one answered by something that does not speak gRPC.
type tap struct {
	net.Listener

	tls *tls.Config // nil without TLS

	mu    sync.Mutex
	conns map[string]*tapped // by remote address
	wrong int                // how many connections to come get a 500
	other sync.WaitGroup
}

func newTap(l net.Listener, c *tls.Config) *tap {
	return &tap{Listener: l, tls: c, conns: map[string]*tapped{}}
}

func (t *tap) Accept() (net.Conn, error) {
	for {
		conn, err := t.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if t.isWrong() {
			t.other.Go(func() { serve500(conn, t.tls) })
			continue
		}
		c := &tapped{Conn: conn, tap: t}
		t.mu.Lock()
		t.conns[conn.RemoteAddr().String()] = c
		t.mu.Unlock()
		return c, nil
	}
}

func (t *tap) Close() error {
	err := t.Listener.Close()
	t.other.Wait()
	return err
}

func (t *tap) isWrong() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wrong == 0 {
		return false
	}
	t.wrong--
	return true
}

// answer500 has the next connection answered with a 500.
func (t *tap) answer500() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wrong++
}

// of is the connection that a call came on; nil if it came on none.
func (t *tap) of(ctx context.Context) *tapped {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.conns[p.Addr.String()]
}

// cut closes the connection that a call came on.
func (t *tap) cut(ctx context.Context) {
	if c := t.of(ctx); c != nil {
		_ = c.Close()
	}
}

// slow has what is written next to a call's connection take so long.
func (t *tap) slow(ctx context.Context, d time.Duration) {
	if c := t.of(ctx); c != nil {
		c.mu.Lock()
		c.pause = d / trickles
		c.mu.Unlock()
	}
}

// tapped is a connection that a tap knows.
type tapped struct {
	net.Conn

	tap   *tap
	mu    sync.Mutex
	pause time.Duration // after each part of the next write
}

// trickles is in how many parts a slow write goes out.
const trickles = 50

func (c *tapped) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	pause := c.pause
	c.pause = 0
	c.mu.Unlock()
	if pause == 0 {
		return c.Conn.Write(p)
	}
	for part := max(1, len(p)/trickles); n < len(p) && err == nil; {
		var wrote int
		wrote, err = c.Conn.Write(p[n:min(n+part, len(p))])
		n += wrote
		time.Sleep(pause)
	}
	return n, err
}

func (c *tapped) Close() error {
	c.tap.mu.Lock()
	delete(c.tap.conns, c.RemoteAddr().String())
	c.tap.mu.Unlock()
	return c.Conn.Close()
}

// serve500 answers the first request on a connection with a 500, as a proxy does
// that cannot reach its server, and closes it.
func serve500(conn net.Conn, c *tls.Config) {
	if c != nil {
		c = c.Clone()
		c.NextProtos = []string{"h2"}
		conn = tls.Server(conn, c)
	}
	l := &oneConn{conn: conn, done: make(chan struct{})}
	s := http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusInternalServerError)
		}),
		Protocols:   new(http.Protocols),
		ReadTimeout: stopTimeout,
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				l.end()
			}
		},
	}
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	_ = s.Serve(l)
}

// oneConn is a listener that gives one connection, and then none until it ends.
type oneConn struct {
	conn  net.Conn
	given bool
	once  sync.Once
	done  chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return l.conn, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) end() { l.once.Do(func() { close(l.done) }) }

func (l *oneConn) Close() error {
	l.end()
	return nil
}

func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }
