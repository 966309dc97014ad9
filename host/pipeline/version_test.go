package pipeline_test

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/relayhost/relayhost/host/message"
)

// Each log line about a message has the plugin version that handled it: the
// batch's for one that failed there, and handle_failed's for its own failure.
func TestLogHasTheVersion(t *testing.T) {
	const inMessage, inBatch, inFailed = "aaaaaaaaaaaa-message", "bbbbbbbbbbbb-batch", "cccccccccccc-failed"
	var lines bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		p := &plugin{
			message: func(m *message.Message) message.Patch {
				m.Plugin = inMessage
				return failing(message.Handler, 1)(m)
			},
			batch: func(b *message.Batch) message.BatchResult {
				b.Plugin = inBatch
				r := echo(b)
				for i, m := range b.Messages {
					if number(m) == 2 && m.Attempt == 1 {
						r.Outcomes[i] = retryable().Outcome
					}
				}
				return r
			},
			failed: func(f []message.Failure) ([]message.OnFailure, message.Outcome) {
				f[0].Plugin = inFailed
				return nil, message.Failed(message.Trap, "on purpose")
			},
		}
		c := shape(0, 10, batcher(message.DefaultBatcher, 10, &sink{}))
		c.Failures.OnFailure = message.Retry
		c.Logger = slog.New(slog.NewTextHandler(&lines, nil))
		s := newSource()
		s.push(1, 2, 3)
		s.end(io.EOF)
		r := start(t, c, s, p)
		if err := <-r.done; err != nil {
			t.Error(err)
		}
	})
	for what, want := range map[string]string{
		`msg="message failed"`:                         "digest=aaaaaaaaaaaa",
		`msg="message failed and will be tried again"`: "digest=bbbbbbbbbbbb",
		`msg="handle_failed failed itself"`:            "digest=cccccccccccc",
	} {
		if line := lineWith(lines.String(), what); !strings.HasSuffix(line, " "+want) {
			t.Errorf("%q does not end in %s", line, want)
		}
	}
}

func lineWith(text, what string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, what+" ") {
			return strings.TrimSpace(line)
		}
	}
	return "no line with " + what
}
