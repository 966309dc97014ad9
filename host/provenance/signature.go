package provenance

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"aead.dev/minisign"
)

// maxSignature bounds the file of a signature, in bytes. Comments are what makes
// it long.
const maxSignature = 64 << 10

// signature is minisign's, as a whole, or a plain one.
type signature struct {
	mini  []byte
	keyID [8]byte
	plain [ed25519.SignatureSize]byte
}

var errNoSignature = &Refusal{
	Problem: "its signature is neither minisign's nor one of Ed25519: 64 bytes, or their base64 or hexadecimal form",
	Hint:    "is the signature's file cut short, or another one?",
}

func parseSignature(text []byte) (signature, error) {
	var s signature
	if len(text) > maxSignature {
		return s, errNoSignature
	}
	if bytes.HasPrefix(text, []byte("untrusted comment: ")) {
		var m minisign.Signature
		if m.UnmarshalText(text) != nil {
			return s, errNoSignature
		}
		s.mini = text
		binary.LittleEndian.PutUint64(s.keyID[:], m.KeyID)
		return s, nil
	}
	plain := text
	if len(text) != len(s.plain) {
		plain = decode(string(bytes.Join(bytes.Fields(text), nil))) // tools break lines
	}
	if copy(s.plain[:], plain) != len(s.plain) || len(plain) != len(s.plain) {
		return s, errNoSignature
	}
	return s, nil
}

// by reports whether the key has made the signature of the file.
func (s signature) by(k Key, file []byte) bool {
	switch {
	case k.mini != (s.mini != nil):
		return false
	case k.mini:
		var public minisign.PublicKey
		return public.UnmarshalText([]byte(k.String())) == nil && minisign.Verify(public, file, s.mini)
	}
	return ed25519.Verify(k.public[:], file, s.plain[:])
}

// names reports whether the signature says, without proof, that it is by the key.
func (s signature) names(k Key) bool { return s.mini != nil && k.mini && s.keyID == k.id }

func (s signature) kind() string {
	if s.mini != nil {
		return "minisign's"
	}
	return "a plain one of Ed25519"
}

// FindSignature is the path of a module's signature: the configured one, or else
// the module's with .minisig after it if there is such a file, or else with .sig.
func FindSignature(module, configured string) (path string) {
	if configured != "" {
		return configured
	}
	if _, err := os.Stat(module + ".minisig"); err == nil {
		return module + ".minisig"
	}
	return module + ".sig"
}

// ReadSignature reads the file of a signature for [Policy.Verify]. It is nil if
// there is no such file.
func ReadSignature(path string) ([]byte, error) {
	text, err := readRegular(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read signature: %w", err)
	case len(text) > maxSignature:
		return nil, fmt.Errorf("read signature %s: it has more than %d bytes\nhint: is it a signature?", path, maxSignature)
	}
	return text, nil
}

var errNotRegular = errors.New("not a regular file")

// readRegular reads a little more than a signature may have. What is no regular
// file is not opened, since that may block.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errNotRegular}
	}
	f, err := os.Open(path) //nolint:gosec // the configuration names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxSignature+1))
}
