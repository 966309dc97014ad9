// Package stdout is the sink that writes each record as one line. Start with
// [New]; any [io.Writer] will do in place of standard output.
package stdout

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/relayhost/relayhost/host/message"
)

// Sink writes records to a writer, each followed by a line feed. A batch is
// written in one piece: batches that are delivered at the same time do not mix.
// Records are written as they are; one that holds a line feed makes more lines
// than one.
type Sink struct {
	mu    sync.Mutex
	w     io.Writer
	lines []byte // reused
}

// New makes a sink that writes to w.
func New(w io.Writer) *Sink { return &Sink{w: w} }

// Deliver returns once the writer has taken every line.
func (s *Sink) Deliver(_ context.Context, _ *message.Batch, records []message.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = s.lines[:0]
	for _, r := range records {
		s.lines = append(append(s.lines, r.Data...), '\n')
	}
	if _, err := s.w.Write(s.lines); err != nil {
		return fmt.Errorf("write standard output: %w", err)
	}
	return nil
}
