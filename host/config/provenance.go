package config

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/relayhost/relayhost/host/provenance"
)

// maxKeys bounds the public keys of a plugin.
const maxKeys = 16

var digestPattern = regexp.MustCompile(`^(sha256:)?[0-9A-Fa-f]{64}$`)

// digest is the SHA-256 of a file, as sha256sum and others write it.
func digest(dst *string) kind {
	k := matching(kind{name: "SHA-256", hint: "write the 64 hexadecimal digits that `sha256sum FILE` prints"}, dst, digestPattern, 71)
	return k.then(func(*checker) { *dst = strings.ToLower(strings.TrimPrefix(*dst, "sha256:")) })
}

// publicKeys is an array with at least one key: none at all would look as if
// nothing were to be trusted, and everything is.
func publicKeys(dst *[]provenance.Key) kind {
	k := kind{name: "array of public keys", bounds: fmt.Sprintf("1 to %d", maxKeys), hint: "each is " + provenance.Keys}
	k.check = func(c *checker, p place) {
		items, ok := p.value.([]any)
		if !ok {
			c.illTyped(p, k)
			return
		}
		if len(items) == 0 || len(items) > maxKeys {
			c.fault(p, fmt.Sprintf("must be %s keys, not %d", k.bounds, len(items)), k.hint)
			return
		}
		*dst = make([]provenance.Key, len(items))
		for i, item := range items {
			one := place{path: fmt.Sprintf("%s[%d]", p.path, i), value: item, at: p.at.item(i)}
			publicKey(&(*dst)[i]).check(c, one)
		}
	}
	return k
}

func publicKey(dst *provenance.Key) kind {
	return scalar(kind{name: "public key", hint: "it is " + provenance.Keys}, func(_ *checker, v string) string {
		key, err := provenance.ParseKey(v)
		if err != nil {
			return "is " + err.Error()
		}
		*dst = key
		return ""
	})
}
