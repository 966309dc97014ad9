package provenance

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// Keys is what [ParseKey] takes, for people.
const Keys = `a minisign public key, "RW…", or an Ed25519 public key in base64 or hexadecimal`

// Why a text is no key. None shows any of it.
var (
	ErrNoKey   = errors.New("not a public key")
	ErrWeakKey = errors.New("not a public key that proves anything: there are signatures for it that anyone can make")
)

// longestKey bounds the text of a key, in bytes.
const longestKey = 128

// Key is a public key that a signature is checked against. Make it with
// [ParseKey]. Keys that are equal are the same key for the same kind of
// signature.
type Key struct {
	// id is the number by which minisign tells keys apart; none is for raw
	// signatures.
	id     [8]byte
	mini   bool
	public [ed25519.PublicKeySize]byte
}

// What a key's bytes begin with in front of the public key: minisign's, which
// an id follows, and that of the line that OpenSSL writes into a PEM file.
var (
	minisignPrefix = []byte("Ed")
	openSSLPrefix  = []byte("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00")
)

// ParseKey reads a public key: the line of minisign's key file that begins with
// RW, or an Ed25519 public key in base64 or hexadecimal, be it the 32 bytes alone
// or the line between the first and the last of OpenSSL's PEM file. The error is
// [ErrNoKey] or [ErrWeakKey].
func ParseKey(text string) (Key, error) {
	if len(text) > longestKey || strings.ContainsAny(text, "\r\n") {
		return Key{}, ErrNoKey
	}
	var k Key
	b := decode(text)
	public, openSSL := bytes.CutPrefix(b, openSSLPrefix)
	if rest, mini := bytes.CutPrefix(b, minisignPrefix); mini && len(rest) == len(k.id)+len(k.public) {
		k.mini, public = true, rest[copy(k.id[:], rest):]
	} else if !openSSL {
		public = b
	}
	if copy(k.public[:], public) != len(public) || len(public) != len(k.public) {
		return Key{}, ErrNoKey
	}
	if k.weak() {
		return Key{}, ErrWeakKey
	}
	return k, nil
}

// decode is the bytes that a text is the hexadecimal or base64 form of; nil if
// it is neither.
func decode(text string) []byte {
	if b, err := hex.DecodeString(text); err == nil {
		return b
	}
	if b, err := base64.StdEncoding.Strict().DecodeString(text); err == nil {
		return b
	}
	return nil
}

// weak reports whether the key is one of the few points for which a signature of
// zeros fits one message in at most eight. The key of 32 zeros, which people write
// where a key is still to come, is one of them.
func (k Key) weak() bool {
	signature := make([]byte, ed25519.SignatureSize)
	signature[0] = 1 // the neutral point
	for i := range byte(64) {
		if ed25519.Verify(k.public[:], []byte{i}, signature) {
			return true
		}
	}
	return false
}

// String is the key as [ParseKey] takes it: minisign's line, or base64.
func (k Key) String() string {
	if k.mini {
		return base64.StdEncoding.EncodeToString(bytes.Join([][]byte{minisignPrefix, k.id[:], k.public[:]}, nil))
	}
	return base64.StdEncoding.EncodeToString(k.public[:])
}
