package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// Server answers for a host. Make it with [Listen] or [ListenTCP], then call
// [Server.Run].
type Server struct {
	listener net.Listener
	http     http.Server
}

// maxPath is how long the path of a socket may be; a zero byte ends it.
const maxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// Listen opens the socket at path, which it alone and its user can open. The
// socket of a host that is dead is replaced. A server that is not run must be
// closed. The error is [ErrTooLong] if the path is.
func Listen(path string, h Host) (*Server, error) {
	listener, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("listen at the control socket %s: %w", path, err)
	}
	return newServer(listener, h), nil
}

func newServer(listener net.Listener, h Host) *Server {
	return &Server{listener: listener, http: http.Server{
		Handler:           handler(h),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // a peer's faults are the peer's
	}}
}

func listen(path string) (net.Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("%w: it has %d bytes, and the system takes %d\nhint: give [journal] a dir with a shorter path",
			ErrTooLong, len(path), maxPath)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, bare(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(bare(err), listener.Close())
	}
	return listener, nil
}

// removeStale removes the socket of a host that is dead.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return bare(err)
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("there is something that is no socket\nhint: move it away")
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = conn.Close()
		return errors.New("another host listens there")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return bare(err)
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return bare(err)
	}
	return nil
}

// bare is a system's error without the path, which is named already.
func bare(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		return call.Err
	}
	return err
}

// Address is where the server listens: a path, or a host and a port.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Run answers until ctx ends, and then lets the answers under way end, for a
// second. It returns an error if the server could not go on. The socket is gone
// then.
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
		return fmt.Errorf("serve %s: %w", s.Address(), err)
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
