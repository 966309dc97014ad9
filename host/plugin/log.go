package plugin

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/relayhost/relayhost/abi"
)

const (
	// maxLine is where a guest's log line is cut, in bytes.
	maxLine = 8 << 10
	// A slot may log linesPerSecond in the long run, and lineBurst at once.
	linesPerSecond = 100
	lineBurst      = 200
)

// logLimit is a slot's allowance of log lines. It outlives instances, so that a
// plugin gains nothing by trapping; it is safe for concurrent use.
type logLimit struct {
	bucket     *rate.Limiter
	suppressed atomic.Int64
}

func newLogLimit() *logLimit {
	return &logLimit{bucket: rate.NewLimiter(linesPerSecond, lineBurst)}
}

// allow takes one line from the allowance, and first tells of those that were
// suppressed since the last one.
func (l *logLimit) allow(logger *slog.Logger) bool {
	if !l.bucket.Allow() {
		l.suppressed.Add(1)
		return false
	}
	l.report(logger)
	return true
}

func (l *logLimit) report(logger *slog.Logger) {
	if n := l.suppressed.Swap(0); n > 0 {
		logger.Warn("log lines suppressed", "lines", n)
	}
}

// guestLog turns what one instance says into lines of the host's log.
type guestLog struct {
	logger *slog.Logger
	limit  *logLimit
	// call is the export that runs; only the instance's caller writes it.
	call string
}

// guestLogKey is the context key under which host functions find the guestLog
// of the instance that calls them.
type guestLogKey struct{}

func (g *guestLog) line(level slog.Level, source string, text []byte) {
	ctx := context.Background()
	if !g.logger.Enabled(ctx, level) || !g.limit.allow(g.logger) {
		return
	}
	g.logger.LogAttrs(ctx, level, printable(text, maxLine),
		slog.String("call", g.call), slog.String("source", source))
}

func slogLevel(level int32) slog.Level {
	switch level {
	case abi.LogDebug:
		return slog.LevelDebug
	case abi.LogInfo:
		return slog.LevelInfo
	case abi.LogWarn:
		return slog.LevelWarn
	}
	return slog.LevelError
}

// lineWriter is an instance's standard output or error: it logs line by line
// and holds no more than one line. What a line has above maxLine is dropped.
type lineWriter struct {
	log    *guestLog
	level  slog.Level
	source string
	buf    []byte // at most maxLine+1 bytes: one more shows that the line is cut
}

func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		line, rest, found := bytes.Cut(p, []byte{'\n'})
		w.buf = append(w.buf, line[:min(len(line), maxLine+1-len(w.buf))]...)
		if !found {
			return n, nil
		}
		w.flush()
		p = rest
	}
}

// flush logs the line so far, if it has any text.
func (w *lineWriter) flush() {
	if line := bytes.TrimSuffix(w.buf, []byte{'\r'}); len(line) > 0 {
		w.log.line(w.level, w.source, line)
	}
	w.buf = w.buf[:0]
}
