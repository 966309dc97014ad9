package config

import (
	"fmt"
	"runtime"
	"time"
)

// key declares one key of a table: this file is all that says which there are.
type key struct {
	name string
	kind kind
	// def is the value of an absent key, as TOML would give it, or computed,
	// from the keys declared before; nil for none.
	def  any
	need bool
	doc  string
}

// computed is a default that depends on more than the file's author knows.
type computed struct {
	text  string
	value func() any
}

// fallback is the value of an absent key; nil for none.
func (k key) fallback() any {
	if c, ok := k.def.(computed); ok {
		return c.value()
	}
	return k.def
}

// empty is the default of a table whose keys all have defaults.
var empty = map[string]any{}

const (
	maxPipelines   = 10_000
	maxBatchers    = 1024
	maxConcurrency = 1024
	maxMessages    = 1_000_000

	shortest = time.Millisecond
	longest  = 24 * time.Hour
)

func configKeys(c *Config) []key {
	cache := computed{"a folder relayhost in the user's cache directory", func() any {
		if dir := DefaultCacheDir(); dir != "" {
			return dir
		}
		return nil
	}}
	return []key{
		{name: "cache_dir", kind: path(&c.CacheDir), def: cache,
			doc: "Where compiled plugins are kept, so that the next start is quick."},
		{name: "pipeline", kind: pipelines(&c.Pipelines), need: true,
			doc: fmt.Sprintf("A pipeline: events from one producer, handled by one plugin. At least one, at most %d.", maxPipelines)},
	}
}

func pipelineKeys(p *Pipeline) []key {
	processors := []key{{name: "default", kind: processors(&p.Processors), def: empty,
		doc: "The processors: each calls the plugin's handle_message with one event at a time."}}
	return []key{
		{name: "name", kind: name(&p.Name), need: true,
			doc: "The pipeline's name in logs and metrics, unique in the file."},
		{name: "shutdown", kind: duration(&p.Shutdown, shortest, longest), def: "30s",
			doc: "How long the whole drain may take: from the stop of intake to the last acknowledgement."},
		{name: "producer", kind: producer(&p.Producer), need: true,
			doc: "Where the events come from."},
		{name: "plugin", kind: table(pluginKeys(&p.Plugin)), need: true,
			doc: "The WebAssembly module that handles the events."},
		{name: "processors", kind: table(processors), def: empty,
			doc: "Exactly one set, named default."},
		{name: "batchers", kind: batchers(&p.Batchers), def: empty,
			doc: fmt.Sprintf("The batchers, by name; none by default, at most %d. A message goes to the one that handle_message "+
				"names, or else to default. Each calls the plugin's handle_batch with one batch at a time.", maxBatchers)},
	}
}

func producer(p *Producer) kind {
	certificates := func() bool { return p.CertFile != "" || p.KeyFile != "" || p.CACertFile != "" }
	keys := []key{
		{name: "type", kind: oneOf(&p.Type, "eventrelay"), def: "eventrelay",
			doc: "The kind of producer."},
		{name: "destination_id", kind: uuid(&p.DestinationID), need: true,
			doc: "The EventRelay destination whose queue is pulled. Like a secret it may be an environment variable or a file."},
		{name: "host", kind: host(&p.Host), def: "localhost",
			doc: "EventRelay's host. With TLS it must be a name that the server's certificate has."},
		{name: "port", kind: integer(&p.Port, 1, 65535), def: int64(50051),
			doc: "EventRelay's gRPC port."},
		{name: "token", kind: hushed(&p.Token), need: true,
			doc: "The consumer key's token, as EventRelay gives it: base64 of `key:secret`."},
		{name: "certfile", kind: path(&p.CertFile),
			doc: "The client's certificate for mutual TLS, PEM. Only together with keyfile."},
		{name: "keyfile", kind: path(&p.KeyFile),
			doc: "The client's private key, PEM. Only together with certfile."},
		{name: "cacertfile", kind: path(&p.CACertFile),
			doc: "The authorities that the server's certificate must come from, PEM; without it, the system's."},
		{name: "tls", kind: boolean(&p.TLS), def: computed{"true if there is a certfile, keyfile or cacertfile", func() any { return certificates() }},
			doc: "Whether to connect with TLS."},
		{name: "pull_interval", kind: duration(&p.PullInterval, shortest, longest), def: "5s",
			doc: "How long to wait after an empty answer before the next pull."},
		{name: "pull_timeout", kind: duration(&p.PullTimeout, time.Second, longest),
			doc: "How long a pull may take. EventRelay never gives again what an interrupted pull was to bring: leave it out if you can."},
		{name: "concurrency", kind: integer(&p.Concurrency, 1, maxConcurrency), def: int64(1),
			doc: "How many producers pull at the same time."},
	}
	return table(keys,
		rule{[]string{"certfile", "keyfile"}, func() (string, string) {
			if (p.CertFile == "") != (p.KeyFile == "") {
				return "certfile and keyfile go together, and one is missing", "give both for mutual TLS, or neither"
			}
			return "", ""
		}},
		rule{[]string{"tls", "certfile", "keyfile", "cacertfile"}, func() (string, string) {
			if !p.TLS && certificates() {
				return "is false, and yet there are certificates", "remove tls, or certfile, keyfile and cacertfile"
			}
			return "", ""
		}})
}

func pluginKeys(p *Plugin) []key {
	return []key{
		{name: "module", kind: path(&p.Module), need: true,
			doc: "The .wasm file."},
		{name: "config", kind: freeform(&p.Config), def: empty,
			doc: "Any table. The plugin's configure gets it as a JSON object: dates and times as RFC 3339 text; no nan, no inf."},
	}
}

func processors(p *Processors) kind {
	twice := computed{"2 × CPUs", func() any { return int64(min(2*runtime.GOMAXPROCS(0), maxConcurrency)) }}
	half := computed{"half of max_demand, rounded down", func() any { return int64(p.MaxDemand / 2) }}
	keys := []key{
		{name: "concurrency", kind: integer(&p.Concurrency, 1, maxConcurrency), def: twice,
			doc: "How many processors, each with its own instance of the plugin."},
		{name: "max_demand", kind: integer(&p.MaxDemand, 1, maxMessages), def: int64(10),
			doc: "How many events a processor asks for ahead of need. A remote producer is faster with 1000."},
		{name: "min_demand", kind: integer(&p.MinDemand, 0, maxMessages-1), def: half,
			doc: "A processor asks again when this many are left. Less than max_demand."},
	}
	return table(keys, rule{[]string{"min_demand", "max_demand"}, func() (string, string) {
		if p.MinDemand >= p.MaxDemand {
			return fmt.Sprintf("must be less than max_demand, %d, not %d", p.MaxDemand, p.MinDemand), ""
		}
		return "", ""
	}})
}

func batcherKeys(b *Batcher) []key {
	return []key{
		{name: "concurrency", kind: integer(&b.Concurrency, 1, maxConcurrency), def: int64(1),
			doc: "How many batch processors, each with its own instance of the plugin."},
		{name: "batch_size", kind: integer(&b.BatchSize, 1, maxMessages), def: int64(100),
			doc: "A batch goes off when it has this many messages."},
		{name: "batch_timeout", kind: duration(&b.BatchTimeout, shortest, longest), def: "1s",
			doc: "A batch goes off this long after its first message."},
		{name: "sink", kind: oneOf(&b.Sink, "stdout"), def: "stdout",
			doc: "Where the records that handle_batch returns are delivered."},
	}
}
