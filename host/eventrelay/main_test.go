package eventrelay_test

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hidden = "a2V5OnNlY3JldA=="

// refuse fails if text shows the token, plain or as hexadecimal.
func refuse(t *testing.T, how, text string) {
	t.Helper()
	for _, shape := range []string{hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden)} {
		if strings.Contains(text, shape) {
			t.Errorf("%s shows the token: %s", how, text)
		}
	}
}
