package config_test

import (
	"fmt"
	"strings"
	"testing"
)

const (
	hintPlugin   = "\nhint: valid keys: module, sha256, public_keys, signature, state, idle_timeout, clock, random, config, limits, rollout"
	hintPipeline = "\nhint: begin each pipeline with [[pipeline]]"
	hintName     = "\nhint: a name is 1 to 64 of a-z, 0-9, _ and -"
	hintToken    = "\nhint: write a string in quotes, { env = \"NAME\" } or { file = \"PATH\" }"
	hintHost     = "\nhint: write a name or an address only; the port is a key of its own"
	hintDuration = "\nhint: write a number and its unit in quotes, like \"2s\""

	hintPartition = "\nhint: give the pipeline or its processors one, like partition_by = \"user_key\""
	hintField     = "\nhint: valid fields: group_key, user_key, reference_key, trace_key, anonymous_key, name, topic, context.KEY, data.KEY, data.KEY.KEY and so on"
	hintAddress   = "\nhint: write a host and a port, like \"127.0.0.1:9464\", or \"[::1]:9464\""

	goodKey  = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
	hintKey  = "\nhint: it is a minisign public key, \"RW…\", or an Ed25519 public key in base64 or hexadecimal"
	hintKeys = "\nhint: each is a minisign public key, \"RW…\", or an Ed25519 public key in base64 or hexadecimal"

	longToken = "sixteen-bytes-it-is"

	hintSize = "\nhint: write a whole number and its unit in quotes, like \"64KiB\", \"256MiB\" or \"1GiB\""

	keysLimits = "message_deadline, batch_deadline, configure_deadline, start_deadline, message_fuel, batch_fuel, configure_fuel, start_fuel, " +
		"memory, kept_memory, table_elements, output_size, output_records, outputs, log_lines, log_bytes, spares, failures, " +
		"module_size, functions, function_size, locals, nesting, compile_time"
	keysPipeline = "name, shutdown, max_in_flight, max_in_flight_bytes, partition_by, on_failure, producer, plugin, processors, batchers, retry, dead_letters"
	keysProducer = "type, mode, destination_id, topic, query, start, shard, shard_by, lookback, reconcile, reconcile_interval, reconcile_start, host, port, token, certfile, keyfile, cacertfile, tls, pull_interval, pull_timeout, concurrency, rate_limiting"
	keysBatcher  = "concurrency, batch_size, batch_bytes, batch_timeout, max_open, partition_by, sink, sink_timeout"
)

// rarer is files with a fault that few will make, and what is said about it
// after the file's name, to the letter.
var rarer = []struct{ name, doc, want string }{
	{"one bracket too few", with("[[pipeline]]", "[pipeline]"), "1: pipeline: must be an array of tables, not a table" + hintPipeline + "; valid keys: cache_dir, metrics, journal, versions, control, pipeline"},
	{"an empty array", "pipeline = []\n", "1: pipeline: must be 1 to 10000 tables, not 0" + hintPipeline},
	{"an array of numbers", "pipeline = [1]\n", "1: pipeline: must be an array of tables, not an array" + hintPipeline + "; valid keys: cache_dir, metrics, journal, versions, control, pipeline"},
	{"one bracket too many", with("[pipeline.plugin]", "[[pipeline.plugin]]"), "6: pipeline.plugin: must be a table, not an array of tables\nhint: valid keys: " + keysPipeline},
	{"too many pipelines", repeat("[[pipeline]] # %d\n", 10_001), "1: pipeline: must be 1 to 10000 tables, not 10001" + hintPipeline},

	{"a host with a port", with(token, token+"\nhost = \"feed:50051\""), "6: pipeline.producer.host: is not a host" + hintHost},
	{"a host with a scheme", with(token, token+"\nhost = \"http://relay\""), "6: pipeline.producer.host: is not a host" + hintHost},
	{"a date for a number", with(token, token+"\nport = 1979-05-27"), "6: pipeline.producer.port: must be an integer, not a date or time\nhint: valid keys: " + keysProducer},
	{"a float for a number", with(token, token+"\nport = 1.0"), "6: pipeline.producer.port: must be an integer, not a float\nhint: valid keys: " + keysProducer},
	{"a duration too long", with(token, token+"\npull_timeout = \"25h\""), "6: pipeline.producer.pull_timeout: must be 1s to 24h, not 25h" + hintDuration},
	{"a pull that loses events", with(token, token+"\npull_timeout = \"20ms\""), "6: pipeline.producer.pull_timeout: must be 1s to 24h, not 20ms" + hintDuration},

	{"a boolean for a token", with(token, "token = true"), "5: pipeline.producer.token: must be a secret, not a boolean" + hintToken + "; valid keys: " + keysProducer},
	{"an empty token", with(token, `token = ""`), "5: pipeline.producer.token: is empty" + hintToken},
	{"a token with its word", with(token, `token = "Bearer a2V5"`), "5: pipeline.producer.token: holds white space or characters beyond ASCII" + hintToken},
	{"a giant token", with(token, `token = "`+strings.Repeat("a", 8193)+`"`), "5: pipeline.producer.token: is longer than 8192 bytes" + hintToken},
	{"a token from nowhere", with(token, "token = {}"), "5: pipeline.producer.token: must have one of env and file" + hintToken},
	{"a token of a folder", with(token, `token = { file = "testdata" }`), "5: pipeline.producer.token.file: file testdata cannot be read: not a regular file"},
	{"a token in place of a variable", with(token, `token = { env = "a2V5OnNlY3JldA==" }`), "5: pipeline.producer.token.env: is not a variable's name\nhint: a variable's name is of letters, digits and _"},

	{"a size without a unit", limits(`memory = "64"`), "9: pipeline.plugin.limits.memory: is not a size" + hintSize},
	{"a number for a size", limits("memory = 64"), "9: pipeline.plugin.limits.memory: must be a size, not an integer" + hintSize + "; valid keys: " + keysLimits},
	{"a negative size", limits(`memory = "-1MiB"`), "9: pipeline.plugin.limits.memory: is not a size" + hintSize},
	{"a size of a fraction", limits(`memory = "1.5GiB"`), "9: pipeline.plugin.limits.memory: is not a size" + hintSize},
	{"a size beyond all", limits(`memory = "99999999999999999999GiB"`), "9: pipeline.plugin.limits.memory: is not a size" + hintSize},
	{"a size that turns over", limits(`memory = "17179869185GiB"`), "9: pipeline.plugin.limits.memory: is not a size" + hintSize},
	{"a size too large", limits(`memory = "5GiB"`), "9: pipeline.plugin.limits.memory: must be 64KiB to 4GiB, not 5GiB" + hintSize},
	{"a size too small", limits(`log_bytes = "1000B"`), "9: pipeline.plugin.limits.log_bytes: must be 8KiB to 1GiB, not 1000B" + hintSize},
	{"more kept than there is", limits(`kept_memory = "1GiB"`), "9: pipeline.plugin.limits.kept_memory: must be at most memory, 256MiB, not 1GiB"},
	{"fuel for nothing", limits("message_fuel = 0"), "9: pipeline.plugin.limits.message_fuel: must be 1000 to 1000000000000000, not 0"},
	{"a path that no system has", with(`"upcase.wasm"`, `"a\u0000b"`), "7: pipeline.plugin.module: is not a path\nhint: a path is 1 to 4096 bytes without control characters"},
	{"what JSON has not", smallest + "[[pipeline.plugin.config.rule]]\na = [1, nan]\nb = -inf\n", "9: pipeline.plugin.config.rule[0].a[1]: is NaN, which JSON cannot hold\n" +
		"relayhost.toml:10: pipeline.plugin.config.rule[0].b: is -Inf, which JSON cannot hold"},
	{"a number for the plugin's config", smallest + "config = 1\n", "8: pipeline.plugin.config: must be a table, not an integer" + hintPlugin},

	{"a digest cut short", smallest + "sha256 = \"9f86d081\"\n", "8: pipeline.plugin.sha256: is not a SHA-256\nhint: write the 64 hexadecimal digits that `sha256sum FILE` prints"},
	{"a digest of another kind", smallest + "sha256 = \"sha512:" + strings.Repeat("0", 64) + "\"\n", "8: pipeline.plugin.sha256: is not a SHA-256\nhint: write the 64 hexadecimal digits that `sha256sum FILE` prints"},
	{"one key without brackets", smallest + "public_keys = \"" + goodKey + "\"\n", "8: pipeline.plugin.public_keys: must be an array of public keys, not a string" + hintKeys + "; " + strings.TrimPrefix(hintPlugin, "\nhint: ")},
	{"no key at all", smallest + "public_keys = []\n", "8: pipeline.plugin.public_keys: must be 1 to 16 keys, not 0" + hintKeys},
	{"more keys than a ring holds", smallest + "public_keys = [" + strings.Repeat("\""+goodKey+"\", ", 17) + "]\n", "8: pipeline.plugin.public_keys: must be 1 to 16 keys, not 17" + hintKeys},
	{"a key that is none", smallest + "public_keys = [\n\"" + goodKey + "\",\n\"RWQ\", 1]\n", "10: pipeline.plugin.public_keys[1]: is not a public key" + hintKey + "\n" +
		"relayhost.toml:10: pipeline.plugin.public_keys[2]: must be a public key, not an integer" + hintKey},
	{"a key still to come", smallest + "public_keys = [\"" + strings.Repeat("0", 64) + "\"]\n", "8: pipeline.plugin.public_keys[0]: is not a public key that proves anything: there are signatures for it that anyone can make" + hintKey},
	{"a signature for nobody", smallest + "signature = \"upcase.sig\"\n", "8: pipeline.plugin.signature: is given, and there are no public_keys to check it with\nhint: give public_keys, or remove it"},

	{"an unknown rollout", rollout(`mode = "blue-green"`), "9: pipeline.plugin.rollout.mode: must be \"immediate\" or \"canary\" or \"shadow\""},
	{"a share of nothing", rollout("share = 0"), "9: pipeline.plugin.rollout.share: must be 0.1 to 100, not 0"},
	{"a share of more than all", rollout("share = 100.5"), "9: pipeline.plugin.rollout.share: must be 0.1 to 100, not 100.5"},
	{"a share that is no number", rollout("share = nan"), "9: pipeline.plugin.rollout.share: must be 0.1 to 100, not NaN"},
	{"a share without end", rollout("share = inf"), "9: pipeline.plugin.rollout.share: must be 0.1 to 100, not +Inf"},
	{"a share in words", rollout(`share = "10%"`), "9: pipeline.plugin.rollout.share: must be a number, not a string\nhint: valid keys: mode, watch, poll_interval, share, window, min_messages, max_failure_increase, max_latency_ratio, max_fuel_ratio"},
	{"a poll that never rests", rollout(`poll_interval = "1ms"`), "9: pipeline.plugin.rollout.poll_interval: must be 100ms to 24h, not 1ms" + hintDuration},
	{"an order that a canary would break", strings.Replace(rollout(`mode = "canary"`)+"[pipeline.batchers.s3]\npartition_by = \"topic\"\n", "name = \"users\"", "name = \"users\"\npartition_by = \"user_key\"", 1),
		"7: pipeline.plugin: has rollout.mode = \"canary\", and canary keeps the order of one field, not of user_key and topic\n" +
			"hint: give the processors and the batchers one and the same partition_by, or choose mode immediate or shadow"},

	{"no version kept", "versions.keep = 0\n" + smallest, "1: versions.keep: must be 1 to 100, not 0"},
	{"control without a token", "control.listen = \"127.0.0.1:0\"\n" + smallest, "1: control.token: is missing" + hintToken},
	{"control with a token that is guessed", "control.listen = \"127.0.0.1:0\"\ncontrol.token = \"123456789012345\"\n" + smallest, "2: control.token: is shorter than 16 bytes, and can be guessed\nhint: make one with `openssl rand -hex 32`"},
	{"control in the open", "control.listen = \"10.0.0.1:9465\"\ncontrol.token = \"" + longToken + "\"\n" + smallest,
		"1: control.listen: is not a loopback address, and without TLS whoever is on the way sees the token\nhint: give certfile and keyfile, or listen on 127.0.0.1 or ::1"},
	{"control with half a certificate", "control.listen = \"10.0.0.1:9465\"\ncontrol.keyfile = \"key.pem\"\ncontrol.token = \"" + longToken + "\"\n" + smallest,
		"2: control.keyfile: certfile and keyfile go together, and one is missing\nhint: give both for TLS, or neither"},

	{"a batcher's name", smallest + "[pipeline.batchers.\"S 3\"]\n", "8: pipeline.batchers.\"S 3\": is not a name" + hintName},
	{"a batcher that is no table", smallest + "[pipeline.batchers]\ns3 = 1\n", "9: pipeline.batchers.s3: must be a table, not an integer"},
	{"batchers that are no table", with("[pipeline.producer]", "batchers = 1\n[pipeline.producer]"), "3: pipeline.batchers: must be a table, not an integer\n" +
		"hint: begin each batcher with [pipeline.batchers.<name>]; valid keys: " + keysPipeline},
	{"too many batchers", smallest + repeat("[pipeline.batchers.b%d]\n", 1025), "8: pipeline.batchers: must be at most 1024 tables, not 1025"},

	{"the second of two pipelines", smallest + strings.Replace(with(token, ""), "users", "orders", 1), "10: pipeline[orders].producer.token: is missing" + hintToken},
	{"the nameless of two pipelines", smallest + with(`name = "users"`, ""), "8: pipeline[#2].name: is missing" + hintName},

	{"a key that would colour a terminal", smallest + "\"\\u001b[31m\" = 1\n", `8: pipeline.plugin."\x1b[31m": unknown key` + hintPlugin},
	{"an empty key", smallest + "\"\" = 1\n", `8: pipeline.plugin."": unknown key` + hintPlugin},
	{"a giant key", smallest + strings.Repeat("k", 200) + " = 1\n", `8: pipeline.plugin."` + strings.Repeat("k", 64) + `…": unknown key` + hintPlugin},

	{"a key twice", smallest + "module = \"x\"\n", "8: not TOML: Key 'pipeline.plugin.module' has already been defined."},
	{"a bare word", smallest + "config = hunter2\n", `8: not TOML: expected value but found "…" instead`},
	{"a bare token", with(token, "token = hunter2"), "5: not TOML (what is wrong is not shown, since it may hold a secret)" + hintToken},
	{"an end too soon", smallest + "[pipeline", "8: not TOML: expected '.' or ']' to end table name, but got '\\x00' instead"},
	{"bytes that are no text", smallest + "# \xff\n", "8: not UTF-8"},
	{"a tower of arrays", smallest + "a = " + strings.Repeat("[", 100_000), "8: nests deeper than 64"},
	{"a tower behind a byte order mark", "\ufeff\na = " + strings.Repeat("[", 100_000), "2: nests deeper than 64"},
	{"a key of many parts", strings.Repeat("a.", 100_000) + "a = 1", "1: nests deeper than 64"},
	{"too large", smallest + "#" + strings.Repeat(" ", 1<<20), "1: larger than 1048576 bytes"},
}

// limits is a file with a plugin's limit.
func limits(line string) string { return smallest + "[pipeline.plugin.limits]\n" + line + "\n" }

func rollout(line string) string { return smallest + "[pipeline.plugin.rollout]\n" + line + "\n" }

func repeat(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestRarerFaults(t *testing.T) {
	for _, c := range rarer {
		t.Run(c.name, func(t *testing.T) {
			if _, message := parse(c.doc); message != "relayhost.toml:"+c.want {
				t.Errorf("got:\n%s\nwant:\nrelayhost.toml:%s", message, c.want)
			}
		})
	}
}

// A file with more faults than anyone reads says how many there are.
func TestFaultsAreBounded(t *testing.T) {
	_, message := parse(repeat("k%d = 1\n", 150) + smallest)
	if !strings.HasSuffix(message, "\nrelayhost.toml:100: and 51 faults more") {
		t.Errorf("ends in %q", message[max(0, len(message)-80):])
	}
}

// What netip and the field's names allow for a host is taken as it is.
func TestHosts(t *testing.T) {
	for _, host := range []string{"localhost", "relay_1.example.", "127.0.0.1", "::1", "fe80::1%eth0", "feed"} {
		c, message := parse(with(token, token+"\nhost = \""+host+"\""))
		if message != "" || c.Pipelines[0].Producer.Host != host {
			t.Errorf("%s: %s", host, message)
		}
	}
}
