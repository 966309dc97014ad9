package config_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/relayhost/relayhost/host/config"
)

var update = flag.Bool("update", false, "write docs/config.md and the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// smallest is the shortest file without a fault.
const smallest = `[[pipeline]]
name = "users"
[pipeline.producer]
destination_id = "6b0a4f3e-8f0c-4c1d-9a55-0d6f3a1e2b7c"
token = "a2V5OnNlY3JldA=="
[pipeline.plugin]
module = "upcase.wasm"
`

// parse returns the configuration, and the error's text if there is one.
func parse(doc string) (c *config.Config, message string) {
	c, err := config.Parse("relayhost.toml", []byte(doc))
	if err != nil {
		return c, err.Error()
	}
	return c, ""
}

// golden compares with a file, or writes it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; -update writes it anew. got:\n%s", file, got)
	}
}
