package control_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/devserver/pki"
	"github.com/relayhost/relayhost/host/secret"
)

const token = "a-token-of-some-length"

// serveTCP runs a server and returns its address.
func serveTCP(t *testing.T, address string, o control.TCPOptions, h control.Host) string {
	t.Helper()
	s, err := control.ListenTCP(address, o, h)
	must(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-done)
	})
	return s.Address()
}

func certificates(t *testing.T) (o control.TCPOptions, roots *x509.CertPool) {
	t.Helper()
	set, err := pki.New(time.Hour)
	must(t, err)
	files, err := set.Write(t.TempDir())
	must(t, err)
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(set.CACert)
	return control.TCPOptions{Token: secret.New(token), CertFile: files.ServerCert, KeyFile: files.ServerKey}, roots
}

// asked sends a request with some headers.
func asked(t *testing.T, c *http.Client, method, target, body string, headers ...string) (status int, header http.Header, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	must(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.Do(r)
	must(t, err)
	text, err := io.ReadAll(response.Body)
	must(t, err)
	must(t, response.Body.Close())
	return response.StatusCode, response.Header, string(text)
}

func client(config *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

// Over TLS, who bears the token gets an answer, and nobody else.
func TestToken(t *testing.T) {
	o, roots := certificates(t)
	host := &fake{letters: 1}
	url := "https://" + serveTCP(t, "127.0.0.1:0", o, host)
	c := client(&tls.Config{RootCAs: roots})
	for _, header := range []string{
		"", "Bearer", "Bearer ", "Basic " + token, token, "Bearer " + token[1:], "Bearer " + token + "x", "Bearer  " + token, "Bearer [redacted]",
	} {
		status, answered, body := asked(t, c, http.MethodPost, url+"/v1/reload", "", "Authorization", header)
		if status != http.StatusUnauthorized || !strings.HasPrefix(answered.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("%q: %d %v", header, status, answered)
		}
		if strings.Contains(body, token[1:]) || !strings.HasPrefix(body, `{"error":`) {
			t.Errorf("%q: %s", header, body)
		}
	}
	if len(host.orders) > 0 {
		t.Fatalf("the host was told %+v", host.orders)
	}
	for _, scheme := range []string{"Bearer ", "bearer "} {
		if status, _, body := asked(t, c, http.MethodPost, url+"/v1/reload", "", "Authorization", scheme+token); status != http.StatusOK {
			t.Errorf("%d %s", status, body)
		}
	}
	if strings.Contains(fmt.Sprintf("%+v %#v", o, o), token) {
		t.Error("the options show the token")
	}
}

// The page of another site can do nothing, even with the token, and learns nothing.
func TestBrowser(t *testing.T) {
	host := &fake{}
	url := "http://" + serveTCP(t, "127.0.0.1:0", control.TCPOptions{Token: secret.New(token)}, host)
	c := client(nil)
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://elsewhere.example"}} {
		headers = append(headers, "Authorization", "Bearer "+token)
		if status, _, body := asked(t, c, http.MethodPost, url+"/v1/reload", "", headers...); status != http.StatusForbidden {
			t.Errorf("%q: %d %s", headers, status, body)
		}
	}
	status, header, _ := asked(t, c, http.MethodOptions, url+"/v1/reload", "", "Origin", "https://elsewhere.example",
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")
	for name := range header {
		if strings.HasPrefix(name, "Access-Control") {
			t.Errorf("there is a header %s", name)
		}
	}
	if status != http.StatusUnauthorized || len(host.orders) > 0 {
		t.Errorf("%d, %+v", status, host.orders)
	}
}

// Old TLS, and no TLS, get nowhere.
func TestTLSOnly(t *testing.T) {
	o, roots := certificates(t)
	address := serveTCP(t, "127.0.0.1:0", o, &fake{})
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}) //nolint:gosec // what is tested
	if err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
	status, _, body := asked(t, client(nil), http.MethodGet, "http://"+address+"/v1/status", "", "Authorization", "Bearer "+token)
	if status != http.StatusBadRequest || strings.Contains(body, "users") {
		t.Errorf("without TLS: %d %s", status, body)
	}
}

// What would be unsafe is not begun.
func TestUnsafeListeners(t *testing.T) {
	safe, _ := certificates(t)
	dir := t.TempDir()
	withToken := control.TCPOptions{Token: secret.New(token)}
	half, missing, mixed := safe, safe, safe
	half.KeyFile, missing.CertFile, mixed.KeyFile = "", filepath.Join(dir, "none.pem"), safe.CertFile
	for name, c := range map[string]struct {
		address string
		options control.TCPOptions
		says    string
	}{
		"no token":       {"127.0.0.1:0", control.TCPOptions{}, "there is no token"},
		"all interfaces": {"0.0.0.0:0", withToken, "without TLS the token would be seen"},
		"all of IPv6":    {"[::]:0", withToken, "without TLS the token would be seen"},
		"no host":        {":0", safe, "want a host and a port"},
		"no port":        {"127.0.0.1", safe, "want a host and a port"},
		"half":           {"127.0.0.1:0", half, "one is missing"},
		"no file":        {"127.0.0.1:0", missing, "none.pem"},
		"no key":         {"127.0.0.1:0", mixed, "and its key"},
	} {
		s, err := control.ListenTCP(c.address, c.options, &fake{})
		if err == nil {
			must(t, s.Close())
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), token) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	s, err := control.ListenTCP("0.0.0.0:0", safe, &fake{})
	must(t, err)
	must(t, s.Close())
}

// So many connections may hang; one more is closed, and those that end make room.
func TestManyConnections(t *testing.T) {
	address := serveTCP(t, "127.0.0.1:0", control.TCPOptions{Token: secret.New(token)}, &fake{})
	var hanging []net.Conn
	for range 64 {
		conn, err := net.Dial("tcp", address)
		must(t, err)
		hanging = append(hanging, conn)
	}
	one, err := net.Dial("tcp", address)
	must(t, err)
	must(t, one.SetReadDeadline(time.Now().Add(time.Minute)))
	began := time.Now()
	if _, err := one.Read(make([]byte, 1)); err == nil || time.Since(began) > 30*time.Second {
		t.Errorf("one connection more is kept: %v", err)
	}
	must(t, one.Close())
	for _, conn := range hanging {
		must(t, conn.Close())
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/v1/status", http.NoBody)
		must(t, err)
		response, err := client(nil).Do(r)
		if err == nil {
			must(t, response.Body.Close())
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatal(err)
		}
	}
}
