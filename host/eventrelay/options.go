package eventrelay

import (
	"net"
	"strconv"

	"github.com/relayhost/relayhost/host/secret"
)

// Options say where the server is and how to be let in.
type Options struct {
	// Host is a name or an IP address. With TLS it is also the name that the
	// server's certificate must have.
	Host string
	// Port is the server's TCP port; EventRelay's usual one is 50051.
	Port int
	// Token is base64(key:secret) of an API key. Without one, none is sent.
	Token secret.Text
	// TLS encrypts the connection, which any of the files below does too.
	TLS bool
	// CertFile and KeyFile are the client's certificate, for mutual TLS, and
	// its key, both PEM.
	CertFile, KeyFile string
	// CACertFile holds the authorities that may have signed the server's
	// certificate, PEM. Defaults to the system's.
	CACertFile string
}

// Secure reports whether the connection is encrypted.
func (o Options) Secure() bool {
	return o.TLS || o.CertFile != "" || o.KeyFile != "" || o.CACertFile != ""
}

// Address is host:port.
func (o Options) Address() string { return net.JoinHostPort(o.Host, strconv.Itoa(o.Port)) }
