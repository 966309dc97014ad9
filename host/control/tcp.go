package control

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/relayhost/relayhost/host/secret"
)

// TCPOptions say who may ask over a network, and what protects the asking.
type TCPOptions struct {
	// Token is what every request must bear.
	Token secret.Text
	// CertFile and KeyFile are a certificate and its key, PEM, for TLS. They are
	// needed unless the address is one of the loopback.
	CertFile, KeyFile string
}

// maxConns is how many connections there may be over a network.
const maxConns = 64

// ListenTCP opens address, such as "127.0.0.1:9465", beside the socket that
// [Listen] opens. A server that is not run must be closed.
func ListenTCP(address string, o TCPOptions, h Host) (*Server, error) {
	listener, err := listenTCP(address, o)
	if err != nil {
		return nil, fmt.Errorf("listen for the admin API at %s: %w", address, err)
	}
	s := newServer(listener, h)
	s.http.Handler = guarded(o.Token, s.http.Handler)
	return s, nil
}

func listenTCP(address string, o TCPOptions) (net.Listener, error) {
	if o.Token.Reveal() == "" {
		return nil, errors.New("there is no token\nhint: who can reach a port is not known: give one, long and random")
	}
	config, err := o.tls()
	if err != nil {
		return nil, err
	}
	if host, _, err := net.SplitHostPort(address); err != nil || host == "" {
		return nil, errors.New("want a host and a port, such as 127.0.0.1:9465")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, bare(err)
	}
	if at, ok := listener.Addr().(*net.TCPAddr); config == nil && (!ok || !at.IP.IsLoopback()) {
		return nil, errors.Join(errors.New("without TLS the token would be seen on the way\n"+
			"hint: listen at 127.0.0.1, or give a certificate and its key"), listener.Close())
	}
	listener = &limited{Listener: listener, slots: make(chan struct{}, maxConns)}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	return listener, nil
}

// tls is nil if there is to be none.
func (o *TCPOptions) tls() (*tls.Config, error) {
	if o.CertFile == "" && o.KeyFile == "" {
		return nil, nil
	}
	if o.CertFile == "" || o.KeyFile == "" {
		return nil, errors.New("TLS wants both a certificate and its key, and one is missing")
	}
	pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s and its key %s: %w", o.CertFile, o.KeyFile, err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}

// guarded lets those through who bear the token and are no page of another site.
func guarded(token secret.Text, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(token.Reveal()))
	var sites http.CrossOriginProtection
	return faults(func(w http.ResponseWriter, r *http.Request) error {
		hurry(w, r)
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(given))
		if subtle.ConstantTimeCompare(got[:], want[:]) == 0 || !strings.EqualFold(scheme, "Bearer") {
			w.Header().Set("WWW-Authenticate", `Bearer realm="relayhost"`)
			return fault{http.StatusUnauthorized, errors.New("the token is missing or wrong\nhint: Authorization: Bearer TOKEN")}
		}
		if err := sites.Check(r); err != nil {
			return fault{http.StatusForbidden, errors.New("the request comes from a page of another site")}
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// limited has so many connections at a time; one more is closed at once.
type limited struct {
	net.Listener

	slots chan struct{}
}

// Accept waits for a connection that there is a slot for.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			return &slotted{Conn: conn, free: sync.OnceFunc(func() { <-l.slots })}, nil
		default:
			_ = conn.Close()
		}
	}
}

// slotted is a connection that frees its slot.
type slotted struct {
	net.Conn

	free func()
}

// Close ends the connection.
func (c *slotted) Close() error {
	defer c.free()
	return c.Conn.Close()
}
