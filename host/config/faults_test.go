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

// inPipeline is smallest with more keys of the pipeline, from line 3 on.
func inPipeline(lines string) string { return with(`name = "users"`, "name = \"users\"\n"+lines) }

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
			"hint: did you mean port?; valid keys: " + keysProducer,
	},
	{
		"a misspelt nested key", smallest + "[pipeline.batchers.s3]\nbatch_sise = 1\n",
		"relayhost.toml:9: pipeline.batchers.s3.batch_sise: unknown key\n" +
			"hint: did you mean batch_size?; valid keys: " + keysBatcher,
	},
	{
		"an unknown top key", "cash_dir = \"x\"\n" + smallest,
		"relayhost.toml:1: cash_dir: unknown key\nhint: did you mean cache_dir?; valid keys: cache_dir, metrics, journal, versions, control, pipeline",
	},
	{
		"a number for a duration", with(token, token+"\npull_interval = 5"),
		"relayhost.toml:6: pipeline.producer.pull_interval: must be a duration, not an integer\n" +
			`hint: write a number and its unit in quotes, like "2s"; valid keys: ` + keysProducer,
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
		"no topic for a log", with(destination, `mode = "log"`),
		"relayhost.toml:3: pipeline.producer.topic: is missing\nhint: a topic is NAME or NAME:IDENTIFIER, without white space",
	},
	{
		"a destination in a log", with(destination, destination+"\nmode = \"log\"\ntopic = \"users\""),
		"relayhost.toml:4: pipeline.producer.destination_id: is for mode = \"queue\" only\nhint: remove it, or change mode",
	},
	{
		"a shard of a queue", with(token, token+"\nshard = \"1/2\"\nshard_by = \"user_key\""),
		"relayhost.toml:6: pipeline.producer.shard: is for mode = \"log\" only\nhint: remove it, or change mode",
	},
	{
		"a shard by nothing", with(destination, "mode = \"log\"\ntopic = \"users\"\nshard = \"1/2\""),
		"relayhost.toml:6: pipeline.producer.shard: is one of several, and there is no shard_by\nhint: say which events belong together, like shard_by = \"user_key\"",
	},
	{
		"a shard beyond the last", with(destination, "mode = \"log\"\ntopic = \"users\"\nshard = \"3/2\""),
		"relayhost.toml:6: pipeline.producer.shard: must be from 1/2 to 2/2, and of at most 1024\nhint: write which one and of how many, like \"2/3\"",
	},
	{
		"a start that is no word", with(destination, "mode = \"log\"\ntopic = \"users\"\nstart = \"now\""),
		"relayhost.toml:6: pipeline.producer.start: is not a start\nhint: write \"earliest\", \"latest\", an offset like 1000, or a time like 2026-01-02T15:04:05Z",
	},
	{
		"nowhere to reconcile", with(token, token+"\nreconcile = true"),
		"relayhost.toml:6: pipeline.producer.reconcile: is true, and there is no topic to look in\nhint: give the destination's topic as topic",
	},
	{
		"a log without a journal", "journal.enabled = false\n" + with(destination, "mode = \"log\"\ntopic = \"users\""),
		"relayhost.toml:1: journal: is not enabled, and pipeline \"users\" has producer.mode = \"log\"\nhint: remove enabled = false",
	},
	{
		"unlock in a log", strings.Replace(inPipeline(`on_failure = "unlock"`), destination, "mode = \"log\"\ntopic = \"users\"", 1),
		"relayhost.toml:3: pipeline.on_failure: is unlock, and nothing is locked in mode log\nhint: choose another, or producer.mode = \"queue\"",
	},
	{
		"dead letters go one way", smallest + "[pipeline.dead_letters]\nsink = \"stdout\"\ntopic = \"failed\"\n" + token + "\n",
		"relayhost.toml:9: pipeline.dead_letters.sink: sink and topic exclude each other\nhint: keep one of them",
	},
	{
		"dead letters to a topic want a token", smallest + "[pipeline.dead_letters]\ntopic = \"failed\"\n",
		"relayhost.toml:8: pipeline.dead_letters.token: is missing" + hintToken,
	},
	{
		"no partition to halt", inPipeline(`on_failure = "halt_partition"`),
		"relayhost.toml:3: pipeline.on_failure: is halt_partition, and the processors have no partition_by" + hintPartition,
	},
	{
		"no partition to keep in order", smallest + "[pipeline.retry]\nkeep_order = true\n",
		"relayhost.toml:9: pipeline.retry.keep_order: is true, and the processors have no partition_by" + hintPartition,
	},
	{
		"no partition to halt in the end", smallest + "[pipeline.retry]\nexhausted = \"halt_partition\"\n",
		"relayhost.toml:9: pipeline.retry.exhausted: is halt_partition, and the processors have no partition_by" + hintPartition,
	},
	{
		"a partition of a batcher is none of the processors", inPipeline("on_failure = \"halt_partition\"") + "[pipeline.batchers.default]\npartition_by = \"topic\"\n",
		"relayhost.toml:3: pipeline.on_failure: is halt_partition, and the processors have no partition_by" + hintPartition,
	},
	{
		"an unknown field", inPipeline("partition_by = \"usr_key\"\non_failure = \"halt_partition\"\nretry.keep_order = true"),
		"relayhost.toml:3: pipeline.partition_by: is not a field of events" + hintField,
	},
	{
		"a field of the processors without a key", smallest + "[pipeline.processors.default]\npartition_by = \"data.a..b\"\n",
		`relayhost.toml:9: pipeline.processors.default.partition_by: is not a path: a key is empty, or a \ is before neither . nor \` + hintField,
	},
	{
		"a number for a field", smallest + "[pipeline.batchers.s3]\npartition_by = 1\n",
		"relayhost.toml:9: pipeline.batchers.s3.partition_by: must be a field, not an integer" + hintField + "; valid keys: " + keysBatcher,
	},
	{
		"a rate without its interval", smallest + "[pipeline.producer.rate_limiting]\nallowed_messages = 1\n",
		"relayhost.toml:8: pipeline.producer.rate_limiting.interval: is missing" + hintDuration,
	},
	{
		"an interval without its rate", smallest + "[pipeline.producer.rate_limiting]\ninterval = \"1s\"\n",
		"relayhost.toml:8: pipeline.producer.rate_limiting.allowed_messages: is missing",
	},
	{
		"no messages at all", smallest + "[pipeline.producer.rate_limiting]\nallowed_messages = 0\ninterval = \"0s\"\n",
		"relayhost.toml:9: pipeline.producer.rate_limiting.allowed_messages: must be 1 to 1000000000, not 0\n" +
			"relayhost.toml:10: pipeline.producer.rate_limiting.interval: must be 1ms to 24h, not 0s" + hintDuration,
	},
	{
		"an unknown end", inPipeline(`on_failure = "retry_forever"`),
		`relayhost.toml:3: pipeline.on_failure: must be "retry" or "dead_letter" or "halt_partition" or "drop" or "unlock"`,
	},
	{
		"an end that does not end", smallest + "[pipeline.retry]\nexhausted = \"retry\"\n",
		`relayhost.toml:9: pipeline.retry.exhausted: must be "dead_letter" or "halt_partition" or "drop"`,
	},
	{
		"a wait longer than the longest", smallest + "[pipeline.retry]\nbackoff = \"1m\"\n",
		"relayhost.toml:9: pipeline.retry.backoff: backoff must be at most max_backoff, 30s, not 1m",
	},
	{
		"a longest wait shorter than the first", smallest + "[pipeline.retry]\nmax_backoff = \"50ms\"\n",
		"relayhost.toml:9: pipeline.retry.max_backoff: backoff must be at most max_backoff, 50ms, not 100ms",
	},
	{
		"no attempt", smallest + "[pipeline.retry]\nmax_attempts = 0\n",
		"relayhost.toml:9: pipeline.retry.max_attempts: must be 1 to 1000000, not 0",
	},
	{
		"nothing in flight", inPipeline("max_in_flight = 0\nmax_in_flight_bytes = \"0B\""),
		"relayhost.toml:3: pipeline.max_in_flight: must be 1 to 10000000, not 0\n" +
			"relayhost.toml:4: pipeline.max_in_flight_bytes: must be 1B to 1024GiB, not 0B" + hintSize,
	},
	{
		"batches of nothing", smallest + "[pipeline.batchers.s3]\nbatch_size = -1\nbatch_bytes = \"0B\"\nbatch_timeout = \"-1s\"\nmax_open = 0\nsink_timeout = \"0s\"\n",
		"relayhost.toml:9: pipeline.batchers.s3.batch_size: must be 1 to 1000000, not -1\n" +
			"relayhost.toml:10: pipeline.batchers.s3.batch_bytes: must be 1B to 1GiB, not 0B" + hintSize + "\n" +
			"relayhost.toml:11: pipeline.batchers.s3.batch_timeout: must be 1ms to 24h, not -1s" + hintDuration + "\n" +
			"relayhost.toml:12: pipeline.batchers.s3.max_open: must be 1 to 1000000, not 0\n" +
			"relayhost.toml:13: pipeline.batchers.s3.sink_timeout: must be 1ms to 24h, not 0s" + hintDuration,
	},
	{
		"a misspelt key of retries", smallest + "[pipeline.retry]\nbackof = \"1s\"\n",
		"relayhost.toml:9: pipeline.retry.backof: unknown key\nhint: did you mean backoff?; valid keys: max_attempts, backoff, max_backoff, keep_order, exhausted",
	},
	{
		"Broadway's demand of a batcher", smallest + "[pipeline.batchers.s3]\nmax_demand = 10\n",
		"relayhost.toml:9: pipeline.batchers.s3.max_demand: unknown key\nhint: valid keys: " + keysBatcher,
	},
	{
		"a port alone", "metrics.listen = \":9464\"\n" + smallest,
		"relayhost.toml:1: metrics.listen: is not a HOST:PORT" + hintAddress,
	},
	{
		"a port out of this world", "metrics.listen = \"127.0.0.1:65536\"\n" + smallest,
		"relayhost.toml:1: metrics.listen: is not a HOST:PORT" + hintAddress,
	},
	{
		"a URL to listen on", "metrics.listen = \"http://localhost:9464\"\n" + smallest,
		"relayhost.toml:1: metrics.listen: is not a HOST:PORT" + hintAddress,
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
