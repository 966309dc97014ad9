package pki_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/relayhost/relayhost/host/devserver/pki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHandshake(t *testing.T) {
	set, other := newSet(t), newSet(t)
	for _, c := range []struct {
		name   string
		server string // the name that the client dials
		spoil  func(*tls.Config)
		ok     bool
	}{
		{"localhost", "localhost", func(*tls.Config) {}, true},
		{"IPv4 loopback", "127.0.0.1", func(*tls.Config) {}, true},
		{"IPv6 loopback", "::1", func(*tls.Config) {}, true},
		{"TLS 1.2", "localhost", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, true},
		{"another name", "example.com", func(*tls.Config) {}, false},
		{"another address", "127.0.0.2", func(*tls.Config) {}, false},
		{"no client certificate", "localhost", func(c *tls.Config) { c.Certificates = nil }, false},
		{"another authority's client", "localhost", func(c *tls.Config) { c.Certificates = clientTLS(t, other).Certificates }, false},
		{"another authority", "localhost", func(c *tls.Config) { c.RootCAs = clientTLS(t, other).RootCAs }, false},
		{"the server's certificate as a client's", "localhost", func(c *tls.Config) { c.Certificates = serverTLS(t, set).Certificates }, false},
		{"TLS 1.1", "localhost", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 }, false},
		{"expired", "localhost", func(c *tls.Config) { c.Time = func() time.Time { return time.Now().Add(2 * time.Hour) } }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := clientTLS(t, set)
			client.ServerName = c.server
			c.spoil(client)
			if err := shake(serverTLS(t, set), client); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

// shake returns the first error of either side, once a byte went each way.
func shake(server, client *tls.Config) error {
	a, b := net.Pipe()
	served := make(chan error, 1)
	go func() {
		conn := tls.Server(a, server)
		defer a.Close()
		if err := conn.Handshake(); err != nil {
			served <- err
			return
		}
		_, err := conn.Write([]byte{1})
		served <- err
	}()
	conn := tls.Client(b, client)
	_, err := conn.Read(make([]byte, 1))
	b.Close()
	if serr := <-served; serr != nil {
		return serr
	}
	return err
}

func TestCertificates(t *testing.T) {
	set := newSet(t)
	serials := map[string]bool{}
	for name, text := range map[string][]byte{"ca": set.CACert, "server": set.ServerCert, "client": set.ClientCert} {
		block, rest := pem.Decode(text)
		if block == nil || len(rest) > 0 {
			t.Fatalf("%s is not one PEM block", name)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if key, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
			t.Errorf("%s has a %T", name, c.PublicKey)
		}
		if c.IsCA != (name == "ca") {
			t.Errorf("%s: IsCA is %v", name, c.IsCA)
		}
		if until := time.Until(c.NotAfter); until <= 0 || until > time.Hour || time.Since(c.NotBefore) < 0 {
			t.Errorf("%s is valid from %v to %v", name, c.NotBefore, c.NotAfter)
		}
		serials[c.SerialNumber.String()] = true
	}
	if len(serials) != 3 {
		t.Errorf("serial numbers are shared: %v", serials)
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	set := newSet(t)
	for range 2 { // the second time over the first
		files, err := set.Write(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tls.LoadX509KeyPair(files.ClientCert, files.ClientKey); err != nil {
			t.Error(err)
		}
		if _, err := tls.LoadX509KeyPair(files.ServerCert, files.ServerKey); err != nil {
			t.Error(err)
		}
		if text, err := os.ReadFile(files.CACert); err != nil || string(text) != string(set.CACert) {
			t.Errorf("the authority's certificate: %v", err)
		}
		if err := os.Chmod(files.ClientKey, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWrittenKeysArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // it has no such modes
	}
	dir := t.TempDir()
	set := newSet(t)
	if err := os.WriteFile(filepath.Join(dir, "client-key.pem"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Symlink(elsewhere, filepath.Join(dir, "server-key.pem")); err != nil {
		t.Fatal(err)
	}
	files, err := set.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{files.ClientKey, files.ServerKey} {
		if info, err := os.Lstat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if _, err := os.Stat(elsewhere); err == nil {
		t.Error("a key was written through a link")
	}
}

func TestReadReturnsWhatWasWritten(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := pki.Read(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory: %v", err)
	}
	set := newSet(t)
	written, err := set.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, files, err := pki.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, set) || files != written {
		t.Errorf("read another set, or other files: %v", files)
	}
	for after, want := range map[time.Duration]bool{-time.Hour: false, 0: true, 59 * time.Minute: true, 2 * time.Hour: false} {
		if valid := got.ValidAt(time.Now().Add(after)); valid != want {
			t.Errorf("%v from now: ValidAt is %v", after, valid)
		}
	}
	if (&pki.Set{}).ValidAt(time.Now()) {
		t.Error("an empty set is valid")
	}
}

func TestWriteFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newSet(t).Write(file); err == nil {
		t.Error("a file was taken for a directory")
	}
}

func newSet(t *testing.T) *pki.Set {
	t.Helper()
	set, err := pki.New(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func serverTLS(t *testing.T, s *pki.Set) *tls.Config {
	t.Helper()
	c, err := s.ServerTLS()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func clientTLS(t *testing.T, s *pki.Set) *tls.Config {
	t.Helper()
	c, err := s.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	return c
}
