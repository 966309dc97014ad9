package host

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/plugin"
)

// The defaults that docs/config.md gives are those of a plugin that nothing was
// said about.
func TestDefaultLimits(t *testing.T) {
	c, err := config.Parse("relayhost.toml", []byte(`
[[pipeline]]
name = "p"
producer = { destination_id = "6b0a4f3e-8f0c-4c1d-9a55-0d6f3a1e2b7c", token = "dDp0" }
plugin.module = "p.wasm"
`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plugin.Limits{}.WithDefaults(), limits(c.Pipelines[0].Plugin.Limits)); diff != "" {
		t.Error(diff)
	}
}
