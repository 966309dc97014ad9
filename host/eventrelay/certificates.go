package eventrelay

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
)

// maxPEMSize bounds a certificate or key file, in bytes; the largest bundles of
// authorities have a quarter of it.
const maxPEMSize = 1 << 20

// tlsConfig leaves the server's name to grpc, which takes it from the address.
func (o Options) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CACertFile != "" {
		authorities, err := o.authorities()
		if err != nil {
			return nil, err
		}
		config.RootCAs = authorities
	}
	if o.CertFile == "" && o.KeyFile == "" {
		return config, nil
	}
	if _, err := o.clientCertificate(); err != nil {
		return nil, err
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return o.clientCertificate()
	}
	return config, nil
}

func (o Options) authorities() (*x509.CertPool, error) {
	certificates, err := readCertificates("cacertfile", o.CACertFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, c := range certificates {
		pool.AddCert(c)
	}
	return pool, nil
}

func (o Options) clientCertificate() (*tls.Certificate, error) {
	certificate, err := readPEM("certfile", o.CertFile)
	if err != nil {
		return nil, err
	}
	key, err := readPEM("keyfile", o.KeyFile)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("use keyfile %s with certfile %s: %w", o.KeyFile, o.CertFile, err)
	}
	return &pair, nil
}

// readPEM reads a file that must hold a PEM block.
func readPEM(option, path string) ([]byte, error) {
	if path == "" {
		return nil, fmt.Errorf("%s is not set\nhint: mutual TLS needs both certfile and keyfile", option)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", option, err)
	}
	defer f.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(f, maxPEMSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", option, err)
	}
	if len(text) > maxPEMSize {
		return nil, fmt.Errorf("read %s: %s is larger than 1 MiB", option, path)
	}
	if block, _ := pem.Decode(text); block == nil {
		return nil, fmt.Errorf("read %s: %s is not PEM", option, path)
	}
	return text, nil
}

// readCertificates reads a file that must hold at least one certificate.
func readCertificates(option, path string) (certificates []*x509.Certificate, err error) {
	text, err := readPEM(option, path)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read %s: %s: %w", option, path, err)
		}
		certificates = append(certificates, c)
	}
	if len(certificates) == 0 {
		return nil, fmt.Errorf("read %s: %s holds no certificate", option, path)
	}
	return certificates, nil
}
