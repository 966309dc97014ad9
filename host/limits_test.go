package host

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/plugin"
)

// The defaults that docs/config.md gives are those of a plugin that nothing was
// said about.
func TestDefaultLimits(t *testing.T) {
	if diff := cmp.Diff(plugin.Limits{}.WithDefaults(), limits(bare(t).Plugin.Limits)); diff != "" {
		t.Error(diff)
	}
}

// The defaults that docs/config.md gives are those of a pipeline that nothing
// was said about, but that a user's pipeline tries again.
func TestDefaultShape(t *testing.T) {
	got := workshop{}.shape(bare(t))
	said := got.Batchers[0]
	want := pipeline.Config{
		Name: got.Name, Shutdown: got.Shutdown, Producer: got.Producer, Processors: got.Processors,
		Batchers: []pipeline.BatcherConfig{{
			Name: said.Name, Concurrency: said.Concurrency, BatchSize: said.BatchSize, BatchTimeout: said.BatchTimeout,
		}},
		Failures: pipeline.FailureConfig{OnFailure: message.Retry},
	}.WithDefaults()
	want.Logger = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// bare is a pipeline that nothing was said about.
func bare(t *testing.T) config.Pipeline {
	t.Helper()
	c, err := config.Parse("relayhost.toml", []byte(`
[[pipeline]]
name = "p"
producer = { destination_id = "6b0a4f3e-8f0c-4c1d-9a55-0d6f3a1e2b7c", token = "dDp0" }
plugin.module = "p.wasm"
batchers.default = {}
`))
	if err != nil {
		t.Fatal(err)
	}
	return c.Pipelines[0]
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
