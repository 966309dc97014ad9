package host_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/control"
)

// signer signs as minisign does with -l, or plainly.
type signer struct {
	private ed25519.PrivateKey
	id      []byte // of minisign
	key     string // as the configuration has it
}

func newSigner(t *testing.T, mini bool) *signer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	s := &signer{private: private, key: base64.StdEncoding.EncodeToString(public)}
	if mini {
		s.id = []byte("12345678")
		s.key = base64.StdEncoding.EncodeToString(append(append([]byte("Ed"), s.id...), public...))
	}
	return s
}

func (s *signer) sign(file []byte) []byte {
	if s.id == nil {
		return ed25519.Sign(s.private, file)
	}
	signature := ed25519.Sign(s.private, file)
	const comment = "timestamp:1"
	whole := ed25519.Sign(s.private, append(append([]byte{}, signature...), comment...))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, "untrusted comment: test\n%s\ntrusted comment: %s\n%s\n",
		encode(append(append([]byte("Ed"), s.id...), signature...)), comment, encode(whole))
}

// Only what is signed goes live: with the signature there before the file, or
// after it.
func TestSignatures(t *testing.T) {
	for name, c := range map[string]struct {
		mini   bool
		suffix string
	}{"minisign": {true, ".minisig"}, "plain": {false, ".sig"}} {
		t.Run(name, func(t *testing.T) {
			s, stranger := newSigner(t, c.mini), newSigner(t, c.mini)
			w := prepareWorks(t, fmt.Sprintf("public_keys = [%q]\n", s.key))
			file := func(n int) []byte { return wilful(t, n, behaviour{}) }
			if err := w.tryUp(); err == nil || !strings.Contains(err.Error(), "it has no signature") {
				t.Fatalf("without a signature: %v", err)
			}
			put(t, w.module+c.suffix, s.sign(file(1)))
			w.up()
			end := w.flow()

			put(t, w.module+c.suffix, s.sign(file(2)))
			put(t, w.module, file(2))
			w.live(file(2))

			put(t, w.module, file(3)) // it comes before its signature
			w.ended(file(3), control.ResultRefused)
			put(t, w.module+c.suffix, s.sign(file(3)))
			w.live(file(3))

			put(t, w.module+c.suffix, stranger.sign(file(4)))
			put(t, w.module, file(4))
			w.ended(file(4), control.ResultRefused)
			w.swap(file(5))
			w.log.await(t, "it has no signature", 1) // the file may have another turn after it
			_, err := w.client.Swap(t.Context(), "users", control.Module{File: file(5), Signature: s.sign(file(5))})
			must(t, err)
			w.live(file(5))
			_, err = w.client.Rollback(t.Context(), "users", "")
			must(t, err)
			w.live(file(3))
			end()
			if len(w.lines("level=ERROR")) > 0 {
				t.Error(w.log)
			}
			w.comesUpOn(3)
			w.down()
		})
	}
}

func pin(t *testing.T, n int) string { return fmt.Sprintf("sha256 = %q\n", digestOf(t, n)) }

// Only what is pinned goes live; another pin brings another file.
func TestPin(t *testing.T) {
	w := newWorks(t, pin(t, 1))
	file := func(n int) []byte { return wilful(t, n, behaviour{}) }
	put(t, w.module, file(2))
	if r := w.ended(file(2), control.ResultRefused); !strings.Contains(r.Error, "sha256 pins "+digestOf(t, 1)) {
		t.Error(r.Error)
	}
	w.comesUpOn(1)

	w.configure(pin(t, 2))
	told, err := w.client.Reload(t.Context())
	must(t, err)
	if len(told.Changed) != 1 {
		t.Errorf("%+v", told)
	}
	w.live(file(2))
	if _, err := w.client.Rollback(t.Context(), "users", ""); err == nil || !strings.Contains(err.Error(), "is not what sha256 pins") {
		t.Errorf("back to what is not pinned: %v", err)
	}
	w.configure(pin(t, 3))
	if _, err := w.client.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "sha256 pins "+digestOf(t, 3)) {
		t.Errorf("a pin of another file: %v", err)
	}
	w.configure(pin(t, 2))
	w.comesUpOn(2)
	w.down()

	// A pin and a file that changed while the host was down.
	put(t, w.module, file(3))
	w.configure(pin(t, 3))
	w.up()
	w.live(file(3))
	w.down()

	// A pin that fits neither the file nor what was live.
	w.configure(pin(t, 9))
	if err := w.tryUp(); err == nil || !strings.Contains(err.Error(), "sha256 pins") {
		t.Errorf("nothing is pinned: %v", err)
	}
}

// Keys that changed while the host was down: what was live must show its signature
// again.
func TestKeysChange(t *testing.T) {
	old, next := newSigner(t, true), newSigner(t, true)
	w := prepareWorks(t, fmt.Sprintf("public_keys = [%q]\n", old.key))
	must(t, os.WriteFile(w.module+".minisig", old.sign(wilful(t, 1, behaviour{})), 0o600))
	w.up()
	w.down()
	w.configure(fmt.Sprintf("public_keys = [%q]\n", next.key))
	if err := w.tryUp(); err == nil || !strings.Contains(err.Error(), "signature") {
		t.Errorf("signed by a key of yesterday: %v", err)
	}
	put(t, w.module+".minisig", next.sign(wilful(t, 1, behaviour{})))
	w.up()
	w.comesUpOn(1)
	w.down()
}
