package config_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/config"
)

// with is smallest with one line in place of another.
func with(old, line string) string { return strings.Replace(smallest, old, line, 1) }

const (
	destination = `destination_id = "6b0a4f3e-8f0c-4c1d-9a55-0d6f3a1e2b7c"`
	token       = `token = "a2V5OnNlY3JldA=="`
)

// faulty is files and what is said about them, to the letter.
var faulty = []struct{ name, doc, want string }{
	{
		"nothing", "",
		"relayhost.toml:1: pipeline: is missing\nhint: begin each pipeline with [[pipeline]]; it needs name and producer and plugin",
	},
	{
		"a misspelt key", with(token, token+"\nprot = 1"),
		"relayhost.toml:6: pipeline.producer.prot: unknown key\n" +
			"hint: did you mean port?; valid keys: type, destination_id, host, port, token, certfile, keyfile, cacertfile, tls, pull_interval, pull_timeout, concurrency",
	},
	{
		"a misspelt nested key", smallest + "[pipeline.batchers.s3]\nbatch_sise = 1\n",
		"relayhost.toml:9: pipeline.batchers.s3.batch_sise: unknown key\n" +
			"hint: did you mean batch_size?; valid keys: concurrency, batch_size, batch_timeout, sink",
	},
	{
		"an unknown top key", "cash_dir = \"x\"\n" + smallest,
		"relayhost.toml:1: cash_dir: unknown key\nhint: did you mean cache_dir?; valid keys: cache_dir, pipeline",
	},
	{
		"a number for a duration", with(token, token+"\npull_interval = 5"),
		"relayhost.toml:6: pipeline.producer.pull_interval: must be a duration, not an integer\n" +
			`hint: write a number and its unit in quotes, like "2s"; valid keys: type, destination_id, host, port, token, certfile, keyfile, cacertfile, tls, pull_interval, pull_timeout, concurrency`,
	},
	{
		"a duration of zero", with(token, token+"\npull_interval = \"0s\""),
		"relayhost.toml:6: pipeline.producer.pull_interval: must be 1ms to 24h, not 0s\n" +
			`hint: write a number and its unit in quotes, like "2s"`,
	},
	{
		"a port out of range", with(token, token+"\nport = 70000"),
		"relayhost.toml:6: pipeline.producer.port: must be 1 to 65535, not 70000",
	},
	{
		"no destination", with(destination, "# none"),
		"relayhost.toml:3: pipeline.producer.destination_id: is missing\nhint: a UUID is 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12",
	},
	{
		"no UUID", with(destination, `destination_id = "users"`),
		"relayhost.toml:4: pipeline.producer.destination_id: is not a UUID\nhint: a UUID is 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12",
	},
	{
		"half a client certificate", with(token, token+"\ncertfile = \"a.pem\""),
		"relayhost.toml:6: pipeline.producer.certfile: certfile and keyfile go together, and one is missing\nhint: give both for mutual TLS, or neither",
	},
	{
		"TLS off beside an authority", with(token, token+"\ncacertfile = \"a.pem\"\ntls = false"),
		"relayhost.toml:7: pipeline.producer.tls: is false, and yet there are certificates\nhint: remove tls, or certfile, keyfile and cacertfile",
	},
	{
		"an unset variable", with(token, `token = { env = "RELAYHOST_NOT_SET" }`),
		"relayhost.toml:5: pipeline.producer.token.env: environment variable RELAYHOST_NOT_SET is not set",
	},
	{
		"a variable that holds no UUID", with(destination, `destination_id = { env = "RELAYHOST_EMPTY" }`),
		"relayhost.toml:4: pipeline.producer.destination_id.env: environment variable RELAYHOST_EMPTY holds no UUID",
	},
	{
		"a token from two places", with(token, `token = { env = "RELAYHOST_EMPTY", file = "x" }`),
		"relayhost.toml:5: pipeline.producer.token.env: environment variable RELAYHOST_EMPTY is empty\n" +
			"relayhost.toml:5: pipeline.producer.token.file: file x cannot be read: no such file or directory",
	},
	{
		"contradictory demand", smallest + "[pipeline.processors.default]\nmax_demand = 10\nmin_demand = 10\n",
		"relayhost.toml:10: pipeline.processors.default.min_demand: must be less than max_demand, 10, not 10",
	},
	{
		"no demand", smallest + "[pipeline.processors.default]\nmax_demand = 0\n",
		"relayhost.toml:9: pipeline.processors.default.max_demand: must be 1 to 1000000, not 0",
	},
	{
		"a second set of processors", smallest + "[pipeline.processors.other]\n",
		"relayhost.toml:8: pipeline.processors.other: unknown key\nhint: valid keys: default",
	},
	{
		"an unknown sink", smallest + "[pipeline.batchers.default]\nsink = \"s3\"\n",
		"relayhost.toml:9: pipeline.batchers.default.sink: must be \"stdout\"",
	},
	{
		"two pipelines of one name", smallest + smallest,
		"relayhost.toml:9: pipeline[#2].name: users is the name of another pipeline, on line 2",
	},
	{
		"broken TOML", smallest + "[pipeline\n",
		`relayhost.toml:8: not TOML: expected '.' or ']' to end table name, but got '\n' instead`,
	},
	{
		"much at once", "[[pipeline]]\nname = \"Users!\"\n[pipeline.producer]\nport = \"x\"\n",
		"relayhost.toml:1: pipeline.plugin: is missing\nhint: it needs module\n" +
			"relayhost.toml:2: pipeline.name: is not a name\nhint: a name is 1 to 64 of a-z, 0-9, _ and -\n" +
			"relayhost.toml:3: pipeline.producer.destination_id: is missing\nhint: a UUID is 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12\n" +
			"relayhost.toml:3: pipeline.producer.token: is missing" + hintToken + "\n" +
			"relayhost.toml:4: pipeline.producer.port: must be an integer, not a string\nhint: valid keys: " + keysProducer,
	},
}

func TestFaults(t *testing.T) {
	t.Setenv("RELAYHOST_EMPTY", "")
	for _, c := range faulty {
		t.Run(c.name, func(t *testing.T) {
			_, message := parse(c.doc)
			if message != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", message, c.want)
			}
		})
	}
}

// Wherever on line 8 the library stops, line 8 it is.
func TestSyntaxErrorHasItsLine(t *testing.T) {
	for _, line := range []string{
		"x = = 1\n", "x = \n", "x =", "x", "x\n", "x = \"a\n", "x = 'a\n", "x = 01\n", "x = {", "[x\n", "[x.\n", "[[x]\n",
		"x = 1 y\n", "x = \"\\q\"\n", "x = 99999999999999999999\n", "module = 1\n", "x = 2020-99-99\n", "x = a\r\n",
	} {
		for _, start := range []string{"", "\ufeff"} {
			_, message := parse(start + smallest + line)
			if !strings.HasPrefix(message, "relayhost.toml:8: ") {
				t.Errorf("%q: got %q", start+line, message)
			}
		}
	}
}

// Everything that is wrong is said in one go, and what could be read is there
// to be looked at.
func TestAllFaultsAtOnce(t *testing.T) {
	c, err := config.Parse("relayhost.toml", []byte(`[[pipeline]]
name = "Users!"
[pipeline.producer]
port = "x"
[pipeline.plugin]
module = "p.wasm"
[pipeline.batchers.default]
batch_size = 0
`))
	var faults config.Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	var keys []string
	for _, f := range faults {
		keys = append(keys, f.Key)
	}
	want := "pipeline.name pipeline.producer.destination_id pipeline.producer.token pipeline.producer.port pipeline.batchers.default.batch_size"
	if got := strings.Join(keys, " "); got != want {
		t.Errorf("faults of %s, want %s", got, want)
	}
	if c == nil || len(c.Pipelines) != 1 || c.Pipelines[0].Plugin.Module != "p.wasm" {
		t.Errorf("what could be read: %+v", c)
	}
}

func TestMissingFile(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "none.toml"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("got %v", err)
	}
}

// The value of a secret is in no fault, wherever it was put by mistake.
func TestFaultsHideSecrets(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, doc := range []string{
		with(token, `token = ["`+secret+`"]`),
		with(token, `token = "`+secret+` "`),
		with(token, `token = { env = "`+secret+` x" }`),
		with(token, `token = { value = "`+secret+`" }`),
		with(token, `token = "`+secret),
		with(token, "token = "+secret),
		with(token, "tokn = "+secret),
		with(token, "token = [\n"+secret+"\n]"),
		with(token, "token = \"\"\"\n"+secret+"\n\\u"+secret+"\"\"\""),
		with(token, "tokn = \""+secret+"\\u"+secret+"\""),
		with(token, "[pipeline.producer.token]\nvalue = "+secret),
		with(destination, `destination_id = "`+secret+`"`),
		with(token, token+"\npull_interval = \""+secret+"\""),
	} {
		if _, message := parse(doc); message == "" || strings.Contains(message, secret) {
			t.Errorf("for %q: %q", doc, message)
		}
	}
}
