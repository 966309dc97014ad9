package builder

import (
	"fmt"
	"strings"
)

// Failure is a build that failed, with what its tool said, as far as there is
// room for it.
type Failure struct {
	Dir     string
	Command string
	Err     error
	Output  string
}

func (f *Failure) Error() string {
	text := fmt.Sprintf("build %s: %s: %v", f.Dir, f.Command, f.Err)
	if f.Output != "" {
		text += "\n" + f.Output
	}
	return text
}

func (f *Failure) Unwrap() error { return f.Err }

// bounded keeps the beginning of what is written, where a compiler's first and
// most telling error is, and counts the rest.
type bounded struct {
	limit int
	data  []byte
	more  int
}

func (b *bounded) Write(p []byte) (int, error) {
	room := min(len(p), b.limit-len(b.data))
	b.data = append(b.data, p[:room]...)
	b.more += len(p) - room
	return len(p), nil
}

func (b *bounded) String() string {
	text := strings.TrimRight(strings.ToValidUTF8(string(b.data), "\uFFFD"), "\r\n")
	if b.more > 0 {
		text += fmt.Sprintf("\n… and %d bytes more", b.more)
	}
	return text
}
