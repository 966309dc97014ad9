package eventrelay_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// logbook keeps what was logged, line by line.
type logbook struct {
	t       testing.TB
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{}
}

func newLogbook(t testing.TB) *logbook { return &logbook{t: t, changed: make(chan struct{})} }

func (l *logbook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// Write implements io.Writer.
func (l *logbook) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(line)
}

func (l *logbook) read() (text string, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String(), l.changed
}

// lines returns the lines that hold text.
func (l *logbook) lines(text string) (found []string) {
	all, _ := l.read()
	for line := range strings.Lines(all) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// await waits for a line that holds text.
func (l *logbook) await(text string) {
	l.t.Helper()
	limit := time.After(time.Minute)
	for {
		all, changed := l.read()
		if strings.Contains(all, text) {
			return
		}
		select {
		case <-changed:
		case <-limit:
			l.t.Fatalf("no line with %q in the log:\n%s", text, all)
		}
	}
}

// refuse fails if text was logged.
func (l *logbook) refuse(text string) {
	l.t.Helper()
	if all, _ := l.read(); text != "" && strings.Contains(all, text) {
		l.t.Errorf("the log shows %q:\n%s", text, all)
	}
}
