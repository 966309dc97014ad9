package host

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/provenance"
	"github.com/relayhost/relayhost/host/versions"
)

// proposal is a version that somebody wants to go live.
type proposal struct {
	number    int64
	source    string // a path, or who it is of
	digest    string
	file      []byte
	signature []byte
	config    config.Pipeline
	// watched: nobody asked for it but the file at its place, so that what was
	// refused before is not tried again.
	watched bool
	// instead is the digest of the file at its place that this one, which somebody
	// asked for, has superseded.
	instead string
	// back: it was live before, and goes live at once; the one that is live now is
	// noted as worse.
	back bool
	// kept: it was live before, and has shown its signature then.
	kept bool
	// loaded is the plugin, if that has been done already.
	loaded *plugin.Plugin
}

// same reports whether the two are one file that would be looked at alike.
func (p *proposal) same(other *proposal) bool {
	return other != nil && p.digest == other.digest && bytes.Equal(p.signature, other.signature) &&
		fingerprint(p.config) == fingerprint(other.config) && p.config.Plugin.Rollout == other.config.Plugin.Rollout
}

// fileAtPlace is the digest of the file at the plugin's place, as far as the
// proposal knows of it.
func (p *proposal) fileAtPlace() string {
	if p.watched {
		return p.digest
	}
	return p.instead
}

// admit looks at where a version comes from, and whether it was refused before.
func (r *rollouts) admit(p *proposal) error {
	if err := provenanceOf(p.config, p.file, p.signature, p.kept); err != nil {
		return err
	}
	if !p.watched {
		return nil
	}
	if v, refused := r.history.Refused(p.digest, fingerprint(p.config)); refused {
		return &refusedBefore{v}
	}
	return nil
}

// refusedBefore is a file that was refused and has not changed since.
type refusedBefore struct{ version versions.Version }

func (e *refusedBefore) Error() string {
	return fmt.Sprintf("it was %s before: %s\nhint: `relayhost plugin swap` tries it once more",
		map[versions.State]string{versions.Refused: "refused", versions.RolledBack: "rolled back"}[e.version.State], e.version.Reason)
}

// provenanceOf checks a file against its pin and its signature. One that was live
// before has shown its signature then.
func provenanceOf(c config.Pipeline, file, signature []byte, before bool) error {
	policy := provenance.Policy{SHA256: c.Plugin.SHA256, Keys: c.Plugin.PublicKeys}
	if before {
		policy.Keys = nil
	}
	return policy.Verify(file, signature)
}

// fingerprint tells settings apart, with which the same file may be judged
// otherwise.
func fingerprint(c config.Pipeline) string {
	s := settings(c)
	s.Pipeline = ""
	keys := make([]string, len(c.Plugin.PublicKeys))
	for i, k := range c.Plugin.PublicKeys {
		keys[i] = k.String()
	}
	text, _ := json.Marshal(struct { // of plain values: it cannot fail
		Config, State, Clock, Random, Pin string
		Limits                            plugin.Limits
		Batch                             bool
	}{s.Config, string(s.State), string(s.Clock), string(s.Random), c.Plugin.SHA256, s.Limits, s.NeedBatch})
	return short([]byte(strings.Join(keys, " "))) + trustEnd + short(text)
}

// trustEnd is what stands in a fingerprint between the keys' and the rest.
const trustEnd = "-"

// trust is the part of a fingerprint that tells the keys.
func trust(fingerprint string) string {
	keys, _, _ := strings.Cut(fingerprint, trustEnd)
	return keys
}

func short(text []byte) string { return digestOf(text)[:16] }

// digestOf is a file's SHA-256, in hex.
func digestOf(file []byte) string {
	sum := sha256.Sum256(file)
	return hex.EncodeToString(sum[:])
}
