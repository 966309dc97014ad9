package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Server answers over HTTP. Make it with [Telemetry.Listen], then call
// [Server.Run]. It has no authentication and shows nothing secret.
//
//   - /metrics: the metrics, as Prometheus scrapes them.
//   - /livez: 200 as long as the process can answer.
//   - /readyz: 200 if every pipeline takes messages in; else 503 and why not, one
//     reason a line.
type Server struct {
	listener net.Listener
	http     http.Server
}

// Listen opens a server at an address, such as "127.0.0.1:9464": there and
// nowhere else. Port 0 is any free one. A server that is not run must be closed.
func (t *Telemetry) Listen(address string) (*Server, error) {
	listener, err := listen(address)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics on %q: %w\nhint: %s", address, err, hint(err))
	}
	return &Server{listener: listener, http: http.Server{
		Handler:           t.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}}, nil
}

var errNoHost = errors.New("the address has no host")

func listen(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host == "" {
		return nil, errNoHost
	}
	return net.Listen("tcp", address)
}

func hint(err error) string {
	switch {
	case errors.Is(err, errNoHost):
		return `give one: 127.0.0.1 for this machine alone, 0.0.0.0 for whoever can reach it`
	case errors.Is(err, syscall.EADDRINUSE):
		return "another process listens there, perhaps another relayhost: stop it, or choose another port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this machine does not have that address"
	case errors.Is(err, syscall.EACCES):
		return "this user may not listen there: choose a port above 1023"
	default:
		return `it should look like "127.0.0.1:9464", with a port that is free`
	}
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run answers until ctx ends, and then lets the answers under way end, for a
// second. It returns an error if the server could not go on.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		s.stop(context.WithoutCancel(ctx))
	}()
	err := s.http.Serve(s.listener)
	cancel()
	<-stopped
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// stop cuts what is under way after a second.
func (s *Server) stop(ctx context.Context) {
	grace, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if s.http.Shutdown(grace) != nil {
		_ = s.http.Close()
	}
}

// Close gives up a server that is not run; after Run it does nothing.
func (s *Server) Close() error {
	if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (t *Telemetry) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 8, Timeout: 10 * time.Second,
	}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", t.readyz)
	return mux
}

func (t *Telemetry) readyz(w http.ResponseWriter, _ *http.Request) {
	var reasons strings.Builder
	for _, p := range t.watching() {
		state := p.state()
		for _, reason := range state.reasons() {
			fmt.Fprintf(&reasons, "pipeline %q: %s\n", p.name, reason)
		}
	}
	if j := t.journalState(); j != nil && j.Err != nil {
		fmt.Fprintf(&reasons, "journal: %s\n", strings.ReplaceAll(j.Err.Error(), "\n", "; "))
	}
	if reasons.Len() > 0 {
		answer(w, http.StatusServiceUnavailable, reasons.String())
		return
	}
	answer(w, http.StatusOK, "ok\n")
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // to a client that is gone
}
