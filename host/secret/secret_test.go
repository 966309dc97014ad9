package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/relayhost/relayhost/host/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hidden = "a2V5OnNlY3JldA=="

// options hold a secret as a room's options do.
type options struct {
	Host  string
	Token secret.Text
}

func TestNeverShows(t *testing.T) {
	hush := secret.New(hidden)
	o := options{Host: "localhost", Token: hush}
	type wrapper struct {
		options options
		secret  *secret.Text
	}
	for _, value := range []any{
		hush, &hush, o, &o, []any{hush}, map[string]any{"k": o},
		wrapper{o, &hush}, &wrapper{o, &hush}, fmt.Errorf("no: %v", o),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%10.3s"} {
			refuse(t, verb, fmt.Sprintf(verb, value))
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		refuse(t, "json", string(text))
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
		refuse(t, "slog", log.String())
	}
	if hush.Reveal() != hidden || hush.String() != "[redacted]" {
		t.Errorf("Reveal, String = %q, %q", hush.Reveal(), hush)
	}
}

// refuse fails if text shows the secret, plain or as hexadecimal.
func refuse(t *testing.T, how, text string) {
	t.Helper()
	for _, shape := range []string{hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden)} {
		if strings.Contains(text, shape) {
			t.Errorf("%s shows the secret: %s", how, text)
		}
	}
}

func TestEmpty(t *testing.T) {
	for _, s := range []secret.Text{{}, secret.New("")} {
		if s.Reveal() != "" || s.String() != "" {
			t.Errorf("Reveal, String = %q, %q", s.Reveal(), s.String())
		}
	}
}
