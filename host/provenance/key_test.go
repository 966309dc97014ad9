package provenance_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/provenance"
)

// The key of RFC 8032's first test, as tools write it, and one of minisign's.
const (
	rfcHex     = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
	rfcBase64  = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	rfcOpenSSL = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	mini       = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
)

func TestParseKey(t *testing.T) {
	for text, want := range map[string]string{
		rfcHex: rfcBase64, strings.ToUpper(rfcHex): rfcBase64, rfcBase64: rfcBase64, rfcOpenSSL: rfcBase64, mini: mini,
	} {
		if key := parse(t, text); key.String() != want || key != parse(t, want) {
			t.Errorf("%s is %s, want %s", text, key, want)
		}
	}
}

func TestNoKeys(t *testing.T) {
	raw, _ := base64.StdEncoding.DecodeString(mini)
	for name, text := range map[string]string{
		"nothing":           "",
		"cut":               rfcHex[:62],
		"longer":            rfcHex + "00",
		"white space":       " " + rfcBase64,
		"a line end":        rfcBase64 + "\n",
		"two lines":         "untrusted comment: minisign public key 1\n" + mini,
		"loose base64":      strings.Replace(rfcBase64, "Ro=", "Rp=", 1),
		"no padding":        strings.TrimSuffix(rfcBase64, "="),
		"another algorithm": base64.StdEncoding.EncodeToString(append([]byte("ED"), raw[2:]...)),
		"minisign cut":      base64.StdEncoding.EncodeToString(raw[:41]),
		"minisign longer":   base64.StdEncoding.EncodeToString(append(raw, 0)),
		"OpenSSL's of X25519": base64.StdEncoding.EncodeToString(
			append([]byte("\x30\x2a\x30\x05\x06\x03\x2b\x65\x6e\x03\x21\x00"), raw[10:]...)),
		"huge": strings.Repeat("0", 1<<20),
	} {
		if key, err := provenance.ParseKey(text); !errors.Is(err, provenance.ErrNoKey) {
			t.Errorf("%s: %v, %v", name, key, err)
		}
	}
}

// The points of small order, in every encoding that is taken for one.
func TestWeakKeys(t *testing.T) {
	for _, text := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	} {
		if _, err := provenance.ParseKey(text); !errors.Is(err, provenance.ErrWeakKey) {
			t.Errorf("%s: %v", text, err)
		}
		b, _ := hex.DecodeString(text)
		if _, err := provenance.ParseKey(base64.StdEncoding.EncodeToString(append([]byte("Ed12345678"), b...))); !errors.Is(err, provenance.ErrWeakKey) {
			t.Errorf("%s of minisign: %v", text, err)
		}
	}
}
