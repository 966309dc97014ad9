package message_test

import (
	"testing"

	"github.com/relayhost/relayhost/host/message"
)

func TestShortDigest(t *testing.T) {
	for digest, want := range map[string]string{"": "-", "abc": "abc", "0123456789abcdef": "0123456789ab"} {
		if got := message.ShortDigest(digest); got != want {
			t.Errorf("%q is %q in short, want %q", digest, got, want)
		}
	}
}

// A message has the version that handled it last: none once it begins anew.
func TestVersionOfAMessage(t *testing.T) {
	m := &message.Message{Plugin: "one"}
	split := m.Split(make([]message.Output, 3))
	for _, output := range split {
		if output.Plugin != "one" {
			t.Errorf("an output was handled by %q, want one", output.Plugin)
		}
	}
	split[1].Plugin, split[2].Plugin = "two", "three"
	split[0].Join(message.Outcome{})
	split[1].Join(message.Failed(message.Handler, "first"))
	whole, o, all := split[2].Join(message.Failed(message.Handler, "second"))
	if whole != m || !all || o.Reason != "first" || m.Plugin != "two" {
		t.Errorf("it failed by %q in %q, want the first failure and its version", o.Reason, m.Plugin)
	}
	if m.Begin(); m.Plugin != "" {
		t.Errorf("it begins anew, handled by %q", m.Plugin)
	}
}
