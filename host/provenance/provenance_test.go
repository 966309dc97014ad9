package provenance_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aead.dev/minisign"

	"github.com/relayhost/relayhost/host/provenance"
)

var file = []byte("\x00asm and what follows")

// miniKey is a new key of minisign's.
func miniKey(t testing.TB) (provenance.Key, minisign.PrivateKey) {
	t.Helper()
	public, private, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, public.String()), private
}

// plainKey is a new key of Ed25519.
func plainKey(t testing.TB) (provenance.Key, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, hex.EncodeToString(public)), private
}

func parse(t testing.TB, text string) provenance.Key {
	t.Helper()
	key, err := provenance.ParseKey(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return key
}

func prehashed(private minisign.PrivateKey, file []byte) []byte {
	r := minisign.NewReader(bytes.NewReader(file))
	_, _ = new(bytes.Buffer).ReadFrom(r)
	return r.Sign(private)
}

func TestPinned(t *testing.T) {
	sum := sha256.Sum256(file)
	digest := hex.EncodeToString(sum[:])
	if err := (provenance.Policy{SHA256: digest}).Verify(file, nil); err != nil {
		t.Error(err)
	}
	other := strings.Repeat("0", 64)
	refused(t, provenance.Policy{SHA256: other}, file, nil, "its sha256 is "+digest+", and sha256 pins "+other)
	if err := (provenance.Policy{}).Verify(file, []byte("rubbish")); err != nil {
		t.Errorf("nothing was to be proved: %v", err)
	}
}

// A file may have to be both, and a signature does not outweigh the pin.
func TestPinnedAndSigned(t *testing.T) {
	key, private := plainKey(t)
	p := provenance.Policy{SHA256: strings.Repeat("0", 64), Keys: []provenance.Key{key}}
	refused(t, p, file, ed25519.Sign(private, file), "its sha256 is ")
	sum := sha256.Sum256(file)
	p.SHA256 = hex.EncodeToString(sum[:])
	refused(t, p, file, nil, "it has no signature, and public_keys asks for one")
	if err := p.Verify(file, ed25519.Sign(private, file)); err != nil {
		t.Error(err)
	}
}

// Every form that tools give a signature.
func TestSigned(t *testing.T) {
	mini, miniPrivate := miniKey(t)
	plain, plainPrivate := plainKey(t)
	raw := ed25519.Sign(plainPrivate, file)
	base64Text := base64.StdEncoding.EncodeToString(raw)
	hexText := hex.EncodeToString(raw)
	legacy := minisign.Sign(miniPrivate, file)
	for name, signature := range map[string][]byte{
		"minisign":             prehashed(miniPrivate, file),
		"minisign, old":        legacy,
		"minisign, of Windows": bytes.ReplaceAll(legacy, []byte("\n"), []byte("\r\n")),
		"minisign, cut":        bytes.TrimSuffix(legacy, []byte("\n")),
		"bytes":                raw,
		"base64":               []byte(base64Text),
		"base64 in lines":      []byte(base64Text[:64] + "\n" + base64Text[64:] + "\n"),
		"hex":                  []byte(hexText + "\r\n"),
		"hex in lines":         []byte(hexText[:60] + "\n" + hexText[60:120] + "\n" + hexText[120:] + "\n"),
		"large hex":            []byte(strings.ToUpper(hexText)),
	} {
		for _, keys := range [][]provenance.Key{{mini, plain}, {plain, mini}} {
			if err := (provenance.Policy{Keys: keys}).Verify(file, signature); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	mini, miniPrivate := miniKey(t)
	plain, plainPrivate := plainKey(t)
	_, otherMini := miniKey(t)
	_, otherPlain := plainKey(t)
	raw, signed := ed25519.Sign(plainPrivate, file), prehashed(miniPrivate, file)
	none := "its signature is neither minisign's nor one of Ed25519"
	names := "its signature names the public key " + mini.String() + ", and does not fit the file"
	stranger := "its signature is by none of the public keys, of which there are 2, or of another file"
	for name, c := range map[string]struct {
		signature []byte
		want      string
	}{
		"another minisign key":  {minisign.Sign(otherMini, file), stranger},
		"another key":           {ed25519.Sign(otherPlain, file), stranger},
		"another file":          {prehashed(miniPrivate, append(file, 0)), names},
		"another file, plainly": {ed25519.Sign(plainPrivate, file[1:]), stranger},
		"another comment":       {bytes.Replace(signed, []byte("timestamp:"), []byte("timestamp:0"), 1), names},
		"not prehashed":         {bytes.Replace(signed, []byte("\nRU"), []byte("\nRW"), 1), names},
		"nothing in it":         {[]byte{}, none},
		"bytes cut":             {raw[:63], none},
		"bytes and rubbish":     {append(bytes.Clone(raw), '\n'), none},
		"base64 cut":            {[]byte(base64.StdEncoding.EncodeToString(raw)[:87]), none},
		"hex and rubbish":       {[]byte(hex.EncodeToString(raw) + "00"), none},
		"minisign cut":          {signed[:len(signed)-9], none},
		"minisign, two lines":   {bytes.Join(bytes.SplitAfter(signed, []byte("\n"))[:2], nil), none},
		"minisign and rubbish":  {append(bytes.Clone(signed), "more\n"...), none},
		"huge":                  {bytes.Repeat([]byte("A"), 1<<20), none},
		"huge comment":          {minisign.SignWithComments(miniPrivate, file, strings.Repeat("c", 64<<10), ""), none},
		"a public key":          {[]byte(mini.String()), none},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, provenance.Policy{Keys: []provenance.Key{plain, mini}}, file, c.signature, c.want)
		})
	}
	refused(t, provenance.Policy{Keys: []provenance.Key{mini}}, file, raw, "its signature is a plain one of Ed25519, and none of the public keys is for that")
	refused(t, provenance.Policy{Keys: []provenance.Key{plain}}, file, signed, "its signature is minisign's, and none of the public keys is for that")
}

// No bit of a file or a signature may change.
func TestFlippedBits(t *testing.T) {
	mini, miniPrivate := miniKey(t)
	plain, plainPrivate := plainKey(t)
	p := provenance.Policy{Keys: []provenance.Key{plain, mini}}
	raw, signed := ed25519.Sign(plainPrivate, file), prehashed(miniPrivate, file)
	flips := func(what string, text []byte, verify func(changed []byte) error) {
		for i := range 8 * len(text) {
			changed := bytes.Clone(text)
			changed[i/8] ^= 1 << (i % 8)
			if verify(changed) == nil {
				t.Errorf("bit %d of %s is nothing to the signature", i, what)
			}
		}
	}
	flips("the file", file, func(changed []byte) error { return p.Verify(changed, raw) })
	flips("the file", file, func(changed []byte) error { return p.Verify(changed, signed) })
	flips("the signature", raw, func(changed []byte) error { return p.Verify(file, changed) })
	trusted := bytes.Index(signed, []byte("\ntrusted comment: ")) + 1
	end := bytes.LastIndexByte(signed[:len(signed)-1], '\n')
	flips("the trusted comment", signed[trusted:end], func(changed []byte) error {
		return p.Verify(file, append(append(bytes.Clone(signed[:trusted]), changed...), signed[end:]...))
	})
}

// What OpenSSL signs passes, with the key as OpenSSL writes it.
func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl here")
	}
	dir := t.TempDir()
	run := func(args ...string) []byte {
		cmd := exec.Command(openssl, args...) //nolint:gosec // the test's own arguments
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Skipf("this openssl does not know how: %v: %s", err, out)
		}
		return out
	}
	if err := os.WriteFile(filepath.Join(dir, "plugin.wasm"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	run("genpkey", "-algorithm", "ed25519", "-out", "key.pem")
	run("pkeyutl", "-sign", "-inkey", "key.pem", "-rawin", "-in", "plugin.wasm", "-out", "plugin.wasm.sig")
	public := strings.Split(string(run("pkey", "-in", "key.pem", "-pubout")), "\n")[1]
	module := filepath.Join(dir, "plugin.wasm")
	signature, err := provenance.ReadSignature(provenance.FindSignature(module, ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := (provenance.Policy{Keys: []provenance.Key{parse(t, public)}}).Verify(file, signature); err != nil {
		t.Errorf("key %s: %v", public, err)
	}
}

func refused(t *testing.T, p provenance.Policy, file, signature []byte, want string) {
	t.Helper()
	err := p.Verify(file, signature)
	refusal, ok := errors.AsType[*provenance.Refusal](err)
	if !ok || !strings.HasPrefix(refusal.Problem, want) || refusal.Hint == "" {
		t.Errorf("got %v, want %s", err, want)
	}
}
