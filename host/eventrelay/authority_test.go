package eventrelay_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority signs certificates that are as wrong as a test wants them.
type authority struct {
	t           testing.TB
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	// file holds the authority's own certificate.
	file string
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := validFrom(time.Now().Add(-time.Hour))
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.file = a.write("ca.pem", "CERTIFICATE", der)
	return a
}

// validFrom is a certificate of localhost, valid for a day.
func validFrom(start time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(start.UnixNano()),
		Subject:      pkix.Name{CommonName: "relayhost test"},
		NotBefore:    start,
		NotAfter:     start.Add(24 * time.Hour),
		DNSNames:     []string{"localhost"},
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func valid() *x509.Certificate   { return validFrom(time.Now().Add(-time.Hour)) }
func expired() *x509.Certificate { return validFrom(time.Now().Add(-48 * time.Hour)) }
func future() *x509.Certificate  { return validFrom(time.Now().Add(48 * time.Hour)) }

// issue signs template and returns the files of the certificate and its key.
func (a *authority) issue(template *x509.Certificate) (certFile, keyFile string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write("cert.pem", "CERTIFICATE", der), a.write("key.pem", "PRIVATE KEY", private)
}

// server is the TLS configuration of a server with a certificate of template.
func (a *authority) server(template *x509.Certificate) *tls.Config {
	a.t.Helper()
	pair, err := tls.LoadX509KeyPair(a.issue(template))
	if err != nil {
		a.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool}
}

// mutual is like server, and wants a client certificate of the authority.
func (a *authority) mutual() *tls.Config {
	config := a.server(valid())
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config
}

func (a *authority) write(name, kind string, der []byte) string {
	return writeFile(a.t, name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// writeFile writes a file of its own that only its owner can read.
func writeFile(t testing.TB, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
