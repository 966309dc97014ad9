package provenance_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"aead.dev/minisign"

	"github.com/relayhost/relayhost/host/provenance"
)

// A key that is taken is the same when it is written down again.
func FuzzParseKey(f *testing.F) {
	for _, seed := range []string{"", mini, rfcHex, rfcBase64, rfcOpenSSL, "RWQ=", mini + "\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := provenance.ParseKey(text)
		if err != nil {
			return
		}
		if again, err := provenance.ParseKey(key.String()); err != nil || again != key {
			t.Errorf("%q is written as %q: %v", text, key, err)
		}
	})
}

// No signature passes but those that the two keys have made of the file.
func FuzzSignature(f *testing.F) {
	mini, miniPrivate := miniKey(f)
	plain, private := plainKey(f)
	p := provenance.Policy{Keys: []provenance.Key{plain, mini}}
	raw := ed25519.Sign(private, file)
	for _, seed := range [][]byte{
		nil, raw, []byte(hex.EncodeToString(raw)), []byte(base64.StdEncoding.EncodeToString(raw)),
		minisign.Sign(miniPrivate, file), prehashed(miniPrivate, file),
	} {
		f.Add(seed)
	}
	other := append(bytes.Clone(file), 0)
	f.Fuzz(func(t *testing.T, signature []byte) {
		_ = p.Verify(file, signature)
		if p.Verify(other, signature) == nil {
			t.Errorf("%q passes for a file that nobody has signed", signature)
		}
	})
}
