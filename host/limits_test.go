package host

import (
	"os"
	"regexp"
	"strings"
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

// docs/security.md lists every limit of docs/config.md, with its default.
func TestSecurityListsEveryLimit(t *testing.T) {
	_, section, _ := strings.Cut(text(t, "../docs/config.md"), "## `[pipeline.plugin.limits]`")
	section, _, _ = strings.Cut(section, "\n## ")
	security := text(t, "../docs/security.md")
	rows := regexp.MustCompile("(?m)^\\| (`[a-z_]+`) \\| [^|]* \\| ([^|]*) \\|").FindAllStringSubmatch(section, -1)
	if len(rows) < 20 {
		t.Fatalf("%d limits in docs/config.md", len(rows))
	}
	for _, row := range rows {
		if want := "\n| " + row[1] + " | " + row[2] + " |"; !strings.Contains(security, want) {
			t.Errorf("docs/security.md has no row %s", want)
		}
	}
}

func text(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
