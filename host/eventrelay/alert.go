package eventrelay

import (
	"context"
	"errors"
	"net"
	"time"

	"google.golang.org/grpc/credentials"
)

// alertPatience bounds how long a failed write looks for the server's reason.
const alertPatience = 100 * time.Millisecond

// candidTLS is TLS that says why the server closed the connection. In TLS 1.3 a
// server refuses a client certificate after the client's handshake is done, so
// that grpc may meet the refusal as a write that fails with a broken pipe. The
// reason, an alert, is then still to be read.
type candidTLS struct {
	credentials.TransportCredentials
}

// ClientHandshake implements credentials.TransportCredentials.
func (c candidTLS) ClientHandshake(
	ctx context.Context, authority string, raw net.Conn,
) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		return nil, nil, err
	}
	return candidConn{conn}, info, nil
}

// Clone implements credentials.TransportCredentials.
func (c candidTLS) Clone() credentials.TransportCredentials {
	return candidTLS{c.TransportCredentials.Clone()}
}

type candidConn struct{ net.Conn }

// Write gives the error of a read for its own, if there is one. What it reads
// is of no use to anyone else: the connection is over.
func (c candidConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err == nil || c.SetReadDeadline(time.Now().Add(alertPatience)) != nil {
		return n, err
	}
	for rest := make([]byte, 1024); ; {
		if _, reason := c.Read(rest); isAlert(reason) {
			return n, reason
		} else if reason != nil {
			return n, err
		}
	}
}

// isAlert reports whether err is an alert of the peer's, for which crypto/tls
// has this operation's name and no type.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}
