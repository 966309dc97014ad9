package plugin

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Refusal is the error of [Verify] and [Engine.Load] for a module that will not
// be run.
type Refusal struct {
	// Plugin is the name it was to be loaded under.
	Plugin string
	// Digest is the file's SHA-256 in hex.
	Digest string
	// Problems has at least one sentence, each saying one thing that is wrong.
	// Text of the module in it is escaped.
	Problems []string
	// Hint says what to do; it may be empty.
	Hint string
}

func (r *Refusal) Error() string {
	var b strings.Builder
	b.WriteString("plugin " + r.Plugin + " refused: ")
	if len(r.Problems) == 1 {
		b.WriteString(r.Problems[0])
	} else {
		b.WriteString("\n  " + strings.Join(r.Problems, "\n  "))
	}
	if r.Hint != "" {
		b.WriteString("\nhint: " + r.Hint)
	}
	return b.String()
}

// Digest is the name that a module's content has in logs and refusals: its
// SHA-256 in hex.
func Digest(wasm []byte) string {
	sum := sha256.Sum256(wasm)
	return hex.EncodeToString(sum[:])
}
