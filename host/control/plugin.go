package control

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"
)

// Plugin is the plugin of a pipeline: what is live, what is to follow it, and
// what was.
type Plugin struct {
	Pipeline string `json:"pipeline"`
	// Mode is how a new version becomes the live one: immediate, canary or shadow.
	Mode string  `json:"mode"`
	Live Version `json:"live"`
	// Candidate is nil unless a version is on its way to be the live one.
	Candidate *Version `json:"candidate,omitempty"`
	// Rollout is the one that runs, or the last one; nil before the first.
	Rollout *Rollout `json:"rollout,omitempty"`
	// Versions are those that the host remembers, newest first.
	Versions []Version `json:"versions"`
}

// Version is a module that a host has seen.
type Version struct {
	// Digest is the SHA-256 of the file, 64 hexadecimal digits.
	Digest string `json:"digest"`
	// Source is where it came from.
	Source string `json:"source"`
	Size   int    `json:"size"`
	// State is live, candidate, good (it was live), refused or rolled_back, and
	// Reason says why of the last two.
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	// Seen is when it came, Live when it last went live, zero if it never did.
	Seen time.Time `json:"seen,omitzero"`
	Live time.Time `json:"live,omitzero"`
}

// The stages of a rollout at which it waits: for a trial's end, or for an operator.
const (
	StageCanary = "canary"
	StageShadow = "shadow"
)

// The result of a rollout, empty while it runs.
const (
	ResultLive       = "live"
	ResultRefused    = "refused"
	ResultRolledBack = "rolled_back"
	ResultSuperseded = "superseded"
)

// Rollout is a version's way to be the live one.
type Rollout struct {
	// Number is greater for a later one.
	Number int64  `json:"number"`
	Digest string `json:"digest"`
	Source string `json:"source"`
	Mode   string `json:"mode"`
	// Stage is waiting, verify, meter, compile, test, warm, canary, shadow, switch, drain
	// or done.
	Stage string `json:"stage"`
	// Result is empty while it runs, then live, refused, rolled_back or
	// superseded; Error says why if it is not live.
	Result string    `json:"result,omitempty"`
	Error  string    `json:"error,omitempty"`
	Began  time.Time `json:"began,omitzero"`
	Ended  time.Time `json:"ended,omitzero"`
	// Trial is what a canary or a shadow has shown, nil if there is none.
	Trial *Trial `json:"trial,omitempty"`
}

// Trying reports whether the rollout is in its trial on real messages.
func (r *Rollout) Trying() bool {
	return r.Result == "" && (r.Stage == StageCanary || r.Stage == StageShadow)
}

// Trial is a version's time on real messages, beside the live one.
type Trial struct {
	// Share is the part of the messages that a canary gets, from 0 to 1.
	Share float64 `json:"share"`
	// Ends is when the trial's window does, zero if only an operator ends it.
	Ends      time.Time `json:"ends,omitzero"`
	Live      Measures  `json:"live"`
	Candidate Measures  `json:"candidate"`
	// Compared, Differed and Skipped are a shadow's messages.
	Compared int64 `json:"compared"`
	Differed int64 `json:"differed"`
	Skipped  int64 `json:"skipped"`
	// Differences are the latest, at most ten.
	Differences []Difference `json:"differences,omitempty"`
}

// Measures are what one version has done in a trial.
type Measures struct {
	Messages int64   `json:"messages"`
	Failures int64   `json:"failures"`
	Fuel     uint64  `json:"fuel"`
	Seconds  float64 `json:"seconds"`
}

// Difference is a message of which two versions made different things.
type Difference struct {
	EventID string `json:"event_id"`
	// Fields are the names of what differs: never what is in them.
	Fields []string `json:"fields"`
}

// PluginState is a rollout that runs, in short.
type PluginState struct {
	Stage string `json:"stage"`
	// Candidate is the digest of the version that is to be live.
	Candidate string `json:"candidate"`
}

// Module is a version that is given to a host.
type Module struct {
	// Name says where it is from, for logs; it may be empty.
	Name string
	// File is a WebAssembly module, Signature its detached signature, if any.
	File, Signature []byte
}

// Started is a rollout that has begun: [Host.Plugin] shows how far it is.
type Started struct {
	Rollout int64 `json:"rollout"`
}

// How large a module and its signature may be, and how long the name of
// something.
const (
	MaxModule    = 64 << 20
	MaxSignature = 8 << 10
	maxName      = 255
)

// check finds what is wrong with a module that came from a peer, but for its size.
func (m *Module) check() error {
	if len(m.File) == 0 {
		return errors.New("there is no module\nhint: the body is the bytes of a .wasm file")
	}
	if len(m.Signature) > MaxSignature {
		return fmt.Errorf("the signature has more than %d bytes", MaxSignature)
	}
	if m.Name == "" {
		return nil
	}
	return checkName("the module's name", m.Name)
}

// checkName finds what is wrong with a name that came from a peer.
func checkName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%s is empty", what)
	case len(name) > maxName:
		return fmt.Errorf("%s has more than %d bytes", what, maxName)
	case !utf8.ValidString(name) || slices.ContainsFunc([]rune(name), func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%s is %.64q: it has what cannot be printed", what, name)
	}
	return nil
}

// minDigest and maxDigest are how many digits of a digest may name a version.
const (
	minDigest = 8
	maxDigest = 64
)

// checkDigest finds what is wrong with the beginning of a digest.
func checkDigest(digest string) error {
	hex := func(r rune) bool { return '0' <= r && r <= '9' || 'a' <= r && r <= 'f' }
	if len(digest) < minDigest || len(digest) > maxDigest ||
		slices.ContainsFunc([]rune(digest), func(r rune) bool { return !hex(r) }) {
		return fmt.Errorf("digest is %.70q, want the first %d to %d digits of one, of 0-9 and a-f", digest, minDigest, maxDigest)
	}
	return nil
}
