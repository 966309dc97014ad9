// Package provenance says what the file of a plugin must prove before anything
// else looks at it: that it is the file that was pinned, or that one of a few
// keys has signed it. Start with [Policy.Verify].
//
// # Signatures
//
// A signature is a file of its own: see [FindSignature] and [ReadSignature]. There
// are two kinds, and a key is for one of them:
//
//   - minisign's, as `minisign -Sm plugin.wasm` writes it beside the file,
//     prehashed or not. Its trusted comment is checked, too.
//   - a plain one of Ed25519, of the file as it is: 64 bytes, or their base64 or
//     hexadecimal form.
//
// # Hostile files
//
// Whatever the file and the signature hold, at most a refusal comes of it.
package provenance

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Policy is what a file must prove. The zero Policy is content with any file.
type Policy struct {
	// SHA256 is the file's digest, 64 hexadecimal digits in lower case; empty
	// for any.
	SHA256 string
	// Keys are those of which one must have signed the file; nil if it need not
	// be signed.
	Keys []Key
}

// Refusal is the error of [Policy.Verify].
type Refusal struct {
	// Problem is a sentence about the file, like "it has no signature".
	Problem string
	// Hint says what to do.
	Hint string
}

func (r *Refusal) Error() string { return r.Problem + "\nhint: " + r.Hint }

// Verify reports what a file does not prove as a [*Refusal]. The signature is
// nil if there is none; it does not matter if the policy has no keys.
func (p Policy) Verify(file, signature []byte) error {
	if err := p.pinned(file); err != nil {
		return err
	}
	return p.signed(file, signature)
}

func (p Policy) pinned(file []byte) error {
	sum := sha256.Sum256(file)
	digest := hex.EncodeToString(sum[:])
	if p.SHA256 == "" || p.SHA256 == digest {
		return nil
	}
	return &Refusal{
		Problem: fmt.Sprintf("its sha256 is %s, and sha256 pins %s", digest, p.SHA256),
		Hint:    "if this is the file that you mean, let sha256 be its digest",
	}
}

func (p Policy) signed(file, text []byte) error {
	if len(p.Keys) == 0 {
		return nil
	}
	if text == nil {
		return &Refusal{
			Problem: "it has no signature, and public_keys asks for one",
			Hint:    "sign it with `minisign -Sm FILE`, or let signature say where the signature is",
		}
	}
	s, err := parseSignature(text)
	if err != nil {
		return err
	}
	for _, k := range p.Keys {
		if s.by(k, file) {
			return nil
		}
	}
	return p.stranger(s)
}

// stranger says why a signature is by none of the keys.
func (p Policy) stranger(s signature) *Refusal {
	var ofKind int
	for _, k := range p.Keys {
		if s.names(k) {
			return &Refusal{
				Problem: fmt.Sprintf("its signature names the public key %s, and does not fit the file", k),
				Hint:    "sign the file anew; if you did not change it, find out who did",
			}
		}
		if k.mini == (s.mini != nil) {
			ofKind++
		}
	}
	if ofKind == 0 {
		return &Refusal{
			Problem: fmt.Sprintf("its signature is %s, and none of the public keys is for that", s.kind()),
			Hint:    "sign it with a tool for the keys in public_keys, or add the key of the one who signed it",
		}
	}
	return &Refusal{
		Problem: fmt.Sprintf("its signature is by none of the public keys, of which there are %d, or of another file", len(p.Keys)),
		Hint:    "sign the file as it is now, or add the key of the one who signed it to public_keys",
	}
}
