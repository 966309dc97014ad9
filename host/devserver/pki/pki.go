// Package pki makes the certificates that a devserver and its clients need for
// mutual TLS: a fresh authority, a server's and a client's certificate. Start
// with [New], then [Set.ServerTLS] for the server and [Set.Write] for clients
// that read files.
//
// # Contract
//
// Keys are ECDSA P-256 and never leave the set but by its own fields and Write;
// the authority's key is dropped once both certificates are signed. The server's
// certificate holds for localhost, 127.0.0.1 and ::1. Everything expires
// together, after the validity that New was given.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// backdate lets a client whose clock is a little late accept a new certificate.
const backdate = 5 * time.Minute

// Set is an authority's certificate and two pairs signed by it, all PEM.
type Set struct {
	CACert     []byte
	ServerCert []byte
	ServerKey  []byte
	ClientCert []byte
	ClientKey  []byte
}

// New makes a set that is valid from five minutes ago until validity from now.
func New(validity time.Duration) (*Set, error) {
	from := time.Now().Add(-backdate)
	until := time.Now().Add(validity)
	ca, err := newAuthority(from, until)
	if err != nil {
		return nil, fmt.Errorf("make certificate authority: %w", err)
	}
	s := &Set{CACert: encodeCert(ca.cert.Raw)}
	if s.ServerCert, s.ServerKey, err = ca.issue(serverTemplate()); err != nil {
		return nil, fmt.Errorf("make server certificate: %w", err)
	}
	if s.ClientCert, s.ClientKey, err = ca.issue(clientTemplate()); err != nil {
		return nil, fmt.Errorf("make client certificate: %w", err)
	}
	return s, nil
}

// ServerTLS is for a server that requires a certificate of every client.
func (s *Set) ServerTLS() (*tls.Config, error) {
	pair, err := tls.X509KeyPair(s.ServerCert, s.ServerKey)
	if err != nil {
		return nil, fmt.Errorf("read server certificate: %w", err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    s.roots(),
	}, nil
}

// ClientTLS is for a client with the set's client certificate.
func (s *Set) ClientTLS() (*tls.Config, error) {
	pair, err := tls.X509KeyPair(s.ClientCert, s.ClientKey)
	if err != nil {
		return nil, fmt.Errorf("read client certificate: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: s.roots()}, nil
}

func (s *Set) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CACert)
	return pool
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(from, until time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := template("relayhost development CA")
	t.NotBefore, t.NotAfter = from, until
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert: cert, key: key}, err
}

// issue signs a certificate for a new key.
func (a *authority) issue(t *x509.Certificate) (cert, key []byte, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t.NotBefore, t.NotAfter = a.cert.NotBefore, a.cert.NotAfter
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, k.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, nil, err
	}
	return encodeCert(der), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}

func serverTemplate() *x509.Certificate {
	t := template("localhost")
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	t.DNSNames = []string{"localhost"}
	t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	return t
}

func clientTemplate() *x509.Certificate {
	t := template("relayhost client")
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return t
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"relayhost"}},
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

// serial is 127 random bits: positive, and never twice the same.
func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
