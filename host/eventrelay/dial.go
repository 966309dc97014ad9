// Package eventrelay reaches an EventRelay server: the connection with its
// token and certificates, what is wrong with them when it does not work, and
// publishing. Start with [Dial]; check a configuration offline with [Check];
// turn any error of a call into a sentence for people with [Diagnose].
//
// # The connection
//
// [Dial] connects in the background and for ever: a server that is down or
// restarts fails the calls made meanwhile, and those after it is back succeed.
// The host's name is resolved anew, and the client certificate read anew, at
// each attempt to connect, so that a moved server and a renewed certificate
// need no restart here. Calls have no deadline of their own, because an
// interrupted pull loses its events on the server; a peer that is gone without
// a word is noticed by pings within a minute and a half.
//
// # The token
//
// The token travels in each call's metadata and appears nowhere else: not in
// [Options] however it is printed, not in an error, not even when the server
// repeats it in one.
package eventrelay

import (
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// MaxMessageSize is the largest reply accepted, in bytes: 1 GiB. The server
// answers a pull with up to 100,000 events, and one that is refused for its
// size is lost.
const MaxMessageSize = 1 << 30

// Dial makes a connection to the server; the caller closes it. It does not wait
// for the server: only a certificate file that cannot be loaded, or a token
// that cannot be sent, is an error.
func Dial(o Options) (*grpc.ClientConn, error) {
	transport, err := o.transport()
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", o.Address(), err)
	}
	settings := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithKeepaliveParams(pings),
		grpc.WithConnectParams(reconnection),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(MaxMessageSize), grpc.MaxCallSendMsgSize(MaxMessageSize)),
	}
	token, err := o.bearer()
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", o.Address(), err)
	}
	if token != nil {
		settings = append(settings,
			grpc.WithPerRPCCredentials(token), grpc.WithChainUnaryInterceptor(token.redact))
	}
	// passthrough leaves the name to each attempt to connect; grpc's own DNS
	// resolver waits up to two minutes before it asks again for a name that
	// was not there.
	return grpc.NewClient("passthrough:///"+o.Address(), settings...)
}

// pings are sent only while a call is in flight and nothing has come for Time;
// Timeout is long because a connection given up wrongly loses the events of a
// pull.
var pings = keepalive.ClientParameters{Time: 30 * time.Second, Timeout: time.Minute}

var reconnection = grpc.ConnectParams{
	Backoff: backoff.Config{
		BaseDelay:  100 * time.Millisecond,
		Multiplier: 1.6,
		Jitter:     0.2,
		MaxDelay:   5 * time.Second,
	},
	MinConnectTimeout: 10 * time.Second,
}

func (o Options) transport() (credentials.TransportCredentials, error) {
	if !o.Secure() {
		return insecure.NewCredentials(), nil
	}
	config, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	return candidTLS{credentials.NewTLS(config)}, nil
}
