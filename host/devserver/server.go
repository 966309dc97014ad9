package devserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

const (
	// maxRequest bounds a request, in bytes.
	maxRequest = 64 << 20
	// maxCalls bounds the calls at once on one connection.
	maxCalls = 1000
	// stopTimeout is how long Run waits for the calls in flight.
	stopTimeout = 5 * time.Second
)

// Server is an EventRelay-compatible server. Its methods are safe for
// concurrent use.
type Server struct {
	options  Options
	state    *state
	faults   *faultPlan
	conns    *tap
	grpc     *grpc.Server
	listener net.Listener
	close    func() error
}

// New opens the data and listens; a client that dials now is served once Run
// is called. The caller must end with Run or Close. A data directory that
// another server has open is [ErrInUse].
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	st, err := openState(o)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, errors.Join(listenError(o.Listen, err), st.disk.close())
	}
	s := &Server{options: o, state: st, faults: newFaultPlan(o.FaultSeed, o.Faults), conns: newTap(l, o.TLS)}
	s.grpc, s.listener = newGRPC(o, st, s.Faults()), s.conns
	s.close = sync.OnceValue(s.stop)
	return s, nil
}

func listenError(addr string, err error) error {
	return fmt.Errorf("listen on %s: %w\nhint: if another program has the port, choose another one, or port 0 for any that is free", addr, err)
}

func newGRPC(o Options, st *state, faults grpc.UnaryServerInterceptor) *grpc.Server {
	opts := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.MaxConcurrentStreams(maxCalls),
		grpc.WaitForHandlers(true), // they use the disk
		grpc.ChainUnaryInterceptor(shield(o.Logger), authenticator(o, st), faults),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	}
	if o.TLS != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(o.TLS)))
	}
	g := grpc.NewServer(opts...)
	registerEvents(g, o, st)
	pb.RegisterTopicsServer(g, &topicsService{state: st})
	pb.RegisterDestinationsServer(g, &destinationsService{state: st})
	pb.RegisterApiKeysServer(g, &keysService{state: st})
	pb.RegisterJWTServer(g, &jwtService{now: o.Now})
	pb.RegisterMetricsServer(g, pb.UnimplementedMetricsServer{})
	reflection.Register(g)
	return g
}

func registerEvents(r grpc.ServiceRegistrar, o Options, st *state) {
	pb.RegisterEventsServer(r, &eventsService{state: st, unlock: o.Unlock})
}

// RegisterEvents adds the Events service to a registrar of the caller's own, for
// calls without a network. Nobody is asked who he is there.
func (s *Server) RegisterEvents(r grpc.ServiceRegistrar) { registerEvents(r, s.options, s.state) }

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx is done, then lets the calls in flight finish, for at
// most 5 seconds, and closes the server. It returns nil when it stopped
// because of ctx or Close. Call it once.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.grpc.Serve(s.listener) }()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		s.drain()
		err = <-served
	}
	if errors.Is(err, grpc.ErrServerStopped) {
		err = nil
	}
	return errors.Join(err, s.close())
}

func (s *Server) drain() {
	hard := time.AfterFunc(stopTimeout, s.grpc.Stop)
	defer hard.Stop()
	s.grpc.GracefulStop()
}

// Close stops the server at once, cutting the calls in flight, and closes its
// data. Closing again does nothing.
func (s *Server) Close() error { return s.close() }

func (s *Server) stop() error {
	s.grpc.Stop()
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return errors.Join(fmt.Errorf("close listener: %w", err), s.state.disk.close())
	}
	return s.state.disk.close()
}
