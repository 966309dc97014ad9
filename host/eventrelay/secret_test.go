package eventrelay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/eventrelay"
)

const hidden = "a2V5OnNlY3JldA=="

func TestSecretNeverShows(t *testing.T) {
	secret := eventrelay.NewSecret(hidden)
	options := eventrelay.Options{Host: "localhost", Port: 1, Token: secret}
	type wrapper struct {
		options eventrelay.Options
		secret  *eventrelay.Secret
	}
	for _, value := range []any{
		secret, &secret, options, &options, []any{secret}, map[string]any{"k": options},
		wrapper{options, &secret}, &wrapper{options, &secret}, fmt.Errorf("no: %v", options),
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
	if secret.Reveal() != hidden || secret.String() != "[redacted]" {
		t.Errorf("Reveal, String = %q, %q", secret.Reveal(), secret)
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

func TestEmptySecret(t *testing.T) {
	for _, s := range []eventrelay.Secret{{}, eventrelay.NewSecret("")} {
		if s.Reveal() != "" || s.String() != "" {
			t.Errorf("Reveal, String = %q, %q", s.Reveal(), s.String())
		}
	}
}
