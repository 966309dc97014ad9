package plugin

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/plugin/meter"
)

const (
	// maxLine is where a guest's log line is cut, in bytes.
	maxLine = 8 << 10
	// logCost is what a line costs the guest, in units of fuel.
	logCost = 1000
	// writeAtOnce is how much standard output is taken between two looks at the
	// deadline, in bytes: at worst some 8,000 lines.
	writeAtOnce = 16 << 10
)

// logLimit is a slot's allowance of log lines and their bytes. It outlives
// instances, so that a plugin gains nothing by trapping; it is safe for
// concurrent use.
type logLimit struct {
	lines, bytes *rate.Limiter
	suppressed   atomic.Int64
}

func newLogLimit(l *Limits) *logLimit {
	return &logLimit{
		lines: rate.NewLimiter(rate.Limit(l.LogLines), 2*l.LogLines),
		bytes: rate.NewLimiter(rate.Limit(l.LogBytes), 2*l.LogBytes),
	}
}

// allow takes one line of so many bytes from the allowance, and first tells of
// those that were suppressed since the last one.
func (l *logLimit) allow(logger *slog.Logger, size int) bool {
	now := time.Now()
	if l.bytes.TokensAt(now) < float64(size) || !l.lines.AllowN(now, 1) || !l.bytes.AllowN(now, size) {
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
	gauge  *meter.Gauge
	// call is the export that runs; only the instance's caller writes it.
	call string
}

// guestLogKey is the context key under which host functions find the guestLog
// of the instance that calls them.
type guestLogKey struct{}

func (g *guestLog) line(level slog.Level, source string, text []byte) {
	ctx := context.Background()
	if !g.logger.Enabled(ctx, level) || !g.limit.allow(g.logger, min(len(text), maxLine)) {
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

// Write charges the guest as it goes: one call can write a whole memory.
func (w *lineWriter) Write(p []byte) (int, error) {
	for chunk := range slices.Chunk(p, writeAtOnce) {
		w.log.gauge.Charge(uint64(len(chunk)))
		w.write(chunk)
	}
	return len(p), nil
}

func (w *lineWriter) write(p []byte) {
	for {
		line, rest, found := bytes.Cut(p, []byte{'\n'})
		w.buf = append(w.buf, line[:min(len(line), maxLine+1-len(w.buf))]...)
		if !found {
			return
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
