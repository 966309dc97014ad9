package versions

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"time"
)

// State is what became of a version.
type State string

// The states of a version.
const (
	Good       State = "good"        // is live, or was
	Refused    State = "refused"     // never went live
	RolledBack State = "rolled_back" // was worse than the one before it
)

// Version is one version of a plugin.
type Version struct {
	// Digest is the SHA-256 of the file, 64 hexadecimal digits in lower case.
	Digest string `json:"digest"`
	// Size is the file's, in bytes.
	Size int `json:"size"`
	// Source is where it came from: a path, or who brought it.
	Source string `json:"source,omitempty"`
	State  State  `json:"state"`
	// Reason is why it was refused or rolled back.
	Reason string `json:"reason,omitempty"`
	// Settings is a fingerprint of the settings that it was judged with.
	Settings string `json:"settings,omitempty"`
	// Seen is when it was first considered, and Live when it went live last;
	// zero if it never did.
	Seen time.Time `json:"seen"`
	Live time.Time `json:"live,omitzero"`
}

// maxSize bounds the file of a version, as the configuration does.
const maxSize = 1 << 30

// longest bounds each text of a version, in bytes.
const longest = 4096

var digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// digestOf is the digest of a file.
func digestOf(file []byte) string {
	sum := sha256.Sum256(file)
	return hex.EncodeToString(sum[:])
}

// bounded is the version as an index can hold it: its texts cut, its times in
// UTC.
func (v Version) bounded() Version {
	v.Seen, v.Live = v.Seen.UTC().Round(0), v.Live.UTC().Round(0)
	for _, text := range []*string{&v.Source, &v.Reason, &v.Settings} {
		*text = strings.ToValidUTF8((*text)[:min(len(*text), longest)], "")
	}
	return v
}

// is reports whether the two are one file, judged with the same settings.
func (v Version) is(digest, settings string) bool {
	return v.Digest == digest && v.Settings == settings
}

// last is when something became of the version last.
func (v Version) last() time.Time {
	if v.Live.After(v.Seen) {
		return v.Live
	}
	return v.Seen
}
