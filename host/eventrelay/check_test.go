package eventrelay_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/secret"

	"github.com/relayhost/relayhost/host/eventrelay"
)

// good is options with which nothing is wrong.
func good(a *authority) eventrelay.Options {
	certFile, keyFile := a.issue(valid())
	return eventrelay.Options{
		Host: "localhost", Port: 50051, CertFile: certFile, KeyFile: keyFile, CACertFile: a.file,
		Token: secret.New(base64.StdEncoding.EncodeToString([]byte("key:secret"))),
	}
}

func TestCheck(t *testing.T) {
	a := newAuthority(t)
	missing := filepath.Join(t.TempDir(), "missing.pem")
	text := writeFile(t, "text.pem", []byte("not PEM"))
	expiredCert, expiredKey := a.issue(expired())
	futureCert, futureKey := a.issue(future())
	_, otherKey := a.issue(valid())
	huge := writeFile(t, "huge.pem", make([]byte, 1<<20+1))
	broken := writeFile(t, "broken.pem", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	bundle := join(t, a.file, expiredCert)

	for _, test := range []struct {
		name     string
		set      func(*eventrelay.Options)
		faults   []string
		warnings []string
	}{
		{name: "all is well", set: func(*eventrelay.Options) {}},
		{name: "no token", set: func(o *eventrelay.Options) { o.Token = secret.Text{} }},
		{name: "no certificate", set: func(o *eventrelay.Options) { o.CertFile, o.KeyFile = "", "" }},
		{name: "host", set: func(o *eventrelay.Options) { o.Host = "" }, faults: []string{`host ""`}},
		{name: "URL", set: func(o *eventrelay.Options) { o.Host = "https://localhost" }, faults: []string{"alone"}},
		{name: "host and port", set: func(o *eventrelay.Options) { o.Host = "localhost:1" }, faults: []string{"alone"}},
		{name: "port", set: func(o *eventrelay.Options) { o.Port = 65536 }, faults: []string{"port 65536 is not between"}},
		{name: "address", set: func(o *eventrelay.Options) { o.Host = "127.0.0.1" }, warnings: []string{"such as localhost"}},
		{name: "address 6", set: func(o *eventrelay.Options) { o.Host = "::1" }, warnings: []string{"such as localhost"}},
		{name: "plain", set: plain("far.example"), warnings: []string{"far.example:50051 unencrypted"}},
		{name: "plain, near", set: plain("localhost")},
		{name: "plain, near address", set: plain("127.0.0.1")},
		{name: "token not base64", set: token("mykey:mysecret"), faults: []string{"not base64 of key:secret"}},
		{name: "token no colon", set: token("a2V5"), faults: []string{"not base64 of key:secret"}},
		{name: "token no secret", set: token("a2V5Og=="), faults: []string{"not base64 of key:secret"}},
		{name: "token line break", set: token("a2V5OnNlY3JldA==\n"), faults: []string{"line break"}},
		{name: "missing files", set: files(missing, missing, missing),
			faults: []string{"read certfile: open ", "read keyfile: open ", "read cacertfile: open "}},
		{name: "not PEM", set: files(text, text, text),
			faults: []string{"read certfile: " + text + " is not PEM", "read keyfile: " + text, "read cacertfile: " + text}},
		{name: "directory", set: ca(t.TempDir()), faults: []string{"read cacertfile: "}},
		{name: "huge", set: ca(huge), faults: []string{"larger than 1 MiB"}},
		{name: "broken", set: ca(broken), faults: []string{"read cacertfile: " + broken}},
		{name: "key as authority", set: ca(otherKey), faults: []string{"holds no certificate"}},
		{name: "expired authority", set: ca(expiredCert), faults: []string{"expired on"}},
		{name: "bundle with an expired authority", set: ca(bundle), warnings: []string{"expired on"}},
		{name: "key only", set: files("", otherKey, a.file), faults: []string{"certfile is not set"}},
		{name: "certificate only", set: files(expiredCert, "", a.file), faults: []string{"keyfile is not set", "expired on"}},
		{name: "another's key", set: files(futureCert, otherKey, a.file), faults: []string{"does not match", "valid only from"}},
		{name: "expired", set: files(expiredCert, expiredKey, a.file), faults: []string{"expired on"}},
		{name: "not yet valid", set: files(futureCert, futureKey, a.file), faults: []string{"valid only from"}},
		{name: "everything at once", set: func(o *eventrelay.Options) {
			files(expiredCert, otherKey, text)(o)
			token("a?")(o)
			o.Host, o.Port = "", 0
		}, faults: []string{`host ""`, "port 0", "not base64", "does not match", "expired on", "not PEM"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := good(a)
			test.set(&o)
			faults, warnings := eventrelay.Check(o)
			expect(t, "faults", faults, test.faults)
			expect(t, "warnings", warnings, test.warnings)
			for _, err := range append(faults, warnings...) {
				if text := o.Token.Reveal(); text != "" && strings.Contains(err.Error(), text) {
					t.Errorf("shows the token: %v", err)
				}
			}
		})
	}
}

func token(text string) func(*eventrelay.Options) {
	return func(o *eventrelay.Options) { o.Token = secret.New(text) }
}

func files(certFile, keyFile, caCertFile string) func(*eventrelay.Options) {
	return func(o *eventrelay.Options) { o.CertFile, o.KeyFile, o.CACertFile = certFile, keyFile, caCertFile }
}

func ca(file string) func(*eventrelay.Options) {
	return func(o *eventrelay.Options) { o.CACertFile = file }
}

func plain(host string) func(*eventrelay.Options) {
	return func(o *eventrelay.Options) { files("", "", "")(o); o.Host = host }
}

func join(t *testing.T, paths ...string) string {
	t.Helper()
	var all []byte
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return writeFile(t, "bundle.pem", all)
}

// expect wants one error for each text, in order.
func expect(t *testing.T, what string, got []error, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s = %q, want %q", what, got, want)
	}
	for i, err := range got {
		if !strings.Contains(err.Error(), want[i]) {
			t.Errorf("%s[%d] = %q, want %q in it", what, i, err, want[i])
		}
	}
}

func TestCheckWarnsOfAReadableKey(t *testing.T) {
	o := good(newAuthority(t))
	if err := os.Chmod(o.KeyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	want := []string{"can be read by every user"}
	if runtime.GOOS == "windows" {
		want = nil
	}
	faults, warnings := eventrelay.Check(o)
	expect(t, "faults", faults, nil)
	expect(t, "warnings", warnings, want)
}
