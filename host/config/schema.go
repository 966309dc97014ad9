package config

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/relayhost/relayhost/host/partition"
)

// key declares one key of a table: this file is all that says which there are.
type key struct {
	name string
	kind kind
	// def is the value of an absent key, as TOML would give it, or computed,
	// from the keys declared before; nil for none.
	def  any
	need bool
	// needIf says whether the keys declared before have made it needed.
	needIf func() bool
	doc    string
}

// computed is a default that depends on more than the file's author knows.
type computed struct {
	text  string
	value func() any
}

// fallback is the value of an absent key; nil for none.
func (k key) fallback(c *checker) any {
	switch d := k.def.(type) {
	case computed:
		return d.value()
	case besideFile:
		return d.of(c.file)
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

	// pageSize is WebAssembly's, in bytes.
	pageSize = 64 << 10

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
		{name: "metrics", kind: table(metricsKeys(&c.Metrics)), def: empty,
			doc: "What other programs may ask a running host."},
		{name: "journal", kind: journal(&c.Journal), def: empty,
			doc: "Where what was pulled is safe until it has settled, and dead letters are kept: docs/delivery.md."},
		{name: "versions", kind: table(versionsKeys(&c.Versions)), def: empty,
			doc: "The versions of each pipeline's plugin that went live: what a rollback goes back to, and what the next start finds if the file of the plugin was refused."},
		{name: "control", kind: table(controlKeys(&c.Control), controlRules(&c.Control)...), def: empty,
			doc: "How a running host is told what to do by those who cannot open the socket in journal.dir."},
		{name: "pipeline", kind: pipelines(&c.Pipelines), need: true,
			doc: fmt.Sprintf("A pipeline: events from one producer, handled by one plugin. At least one, at most %d.", maxPipelines)},
	}
}

// configRules are what the tables of a file must fulfil together.
func configRules(c *Config) []rule {
	return []rule{{[]string{"journal", "pipeline"}, func() (string, string) {
		for _, p := range c.Pipelines {
			if need := needsJournal(p); need != "" && !c.Journal.Enabled {
				return fmt.Sprintf("is not enabled, and pipeline %q has %s", p.Name, need), "remove enabled = false"
			}
		}
		return "", ""
	}}}
}

// needsJournal names a setting that the journal keeps something for, if there
// is one.
func needsJournal(p Pipeline) string {
	switch {
	case p.Producer.Mode == logMode:
		return `producer.mode = "log"`
	case p.Producer.Reconcile:
		return "producer.reconcile"
	case p.DeadLetters.Sink != "" || p.DeadLetters.Topic != "":
		return "dead_letters to forward"
	}
	return ""
}

func journal(j *Journal) kind {
	return table([]key{
		{name: "enabled", kind: boolean(&j.Enabled), def: true,
			doc: "Without a journal a crash loses what is in flight, and what is given up is only logged."},
		{name: "dir", kind: path(&j.Dir), def: besideFile(".journal"),
			doc: "A folder of its own, which one running host at a time may use. It is made if it is not there."},
		{name: "fsync", kind: oneOf(&j.Fsync, "always", "interval", "off"), def: "always",
			doc: "When what was pulled is on the disk: before it is handled, every fsync_interval, or when the system likes. " +
				"A crash of the host loses nothing in any case; one of the machine, what was not on the disk."},
		{name: "fsync_interval", kind: duration(&j.FsyncInterval, shortest, longest), def: "1s",
			doc: "For fsync = \"interval\"."},
		{name: "max_bytes", kind: size(&j.MaxBytes, 1<<20, 1<<40), def: "1GiB",
			doc: "How much it may hold, dead letters among it; when it is full nothing more is pulled."},
	})
}

func metricsKeys(m *Metrics) []key {
	return []key{
		{name: "listen", kind: address(&m.Listen),
			doc: "Where to listen for requests of the metrics, which nobody has to prove to be allowed to make: keep to loopback, as 127.0.0.1:9464, " +
				"unless the network is your own. Port 0 is any free one. Without it there is no listener."},
	}
}

func versionsKeys(v *Versions) []key {
	return []key{
		{name: "dir", kind: path(&v.Dir), def: besideFile(".versions"),
			doc: "Where they are kept. It is made if it is not there."},
		{name: "keep", kind: integer(&v.Keep, 1, 100), def: int64(5),
			doc: "How many of each pipeline; the live one and the one before it are kept in any case."},
	}
}

func controlKeys(c *Control) []key {
	return []key{
		{name: "listen", kind: address(&c.Listen),
			doc: "Where to listen for requests in HTTP and JSON, each of which must carry the token. Port 0 is any free one. Without it there is no listener."},
		{name: "token", kind: hushed(&c.Token), needIf: func() bool { return c.Listen != "" },
			doc: fmt.Sprintf("What a request proves with that it is allowed: any text of at least %d bytes; listen needs it.", shortestToken)},
		{name: "certfile", kind: path(&c.CertFile),
			doc: "The listener's certificate, PEM: with it and keyfile the listener speaks TLS. An address that is not a loopback one needs both."},
		{name: "keyfile", kind: path(&c.KeyFile),
			doc: "The private key of that certificate, PEM."},
	}
}

// shortestToken is how many bytes a token must have that nobody is to guess.
const shortestToken = 16

func controlRules(c *Control) []rule {
	return []rule{
		{[]string{"token"}, func() (string, string) {
			if n := len(c.Token.Reveal()); n > 0 && n < shortestToken {
				return fmt.Sprintf("is shorter than %d bytes, and can be guessed", shortestToken), "make one with `openssl rand -hex 32`"
			}
			return "", ""
		}},
		{[]string{"certfile", "keyfile"}, func() (string, string) {
			if (c.CertFile == "") != (c.KeyFile == "") {
				return "certfile and keyfile go together, and one is missing", "give both for TLS, or neither"
			}
			return "", ""
		}},
		{[]string{"listen", "certfile", "keyfile"}, func() (string, string) {
			if Exposed(c.Listen) && c.CertFile == "" && c.KeyFile == "" {
				return "is not a loopback address, and without TLS whoever is on the way sees the token", "give certfile and keyfile, or listen on 127.0.0.1 or ::1"
			}
			return "", ""
		}},
	}
}

func pipelineKeys(p *Pipeline) []key {
	processors := []key{{name: "default", kind: processors(&p.Processors, &p.PartitionBy), def: empty,
		doc: "The processors: each calls the plugin's handle_message with one event at a time."}}
	return []key{
		{name: "name", kind: name(&p.Name), need: true,
			doc: "The pipeline's name in logs and metrics, unique in the file."},
		{name: "shutdown", kind: duration(&p.Shutdown, shortest, longest), def: "30s",
			doc: "How long the whole drain may take: from the stop of intake to the last acknowledgement."},
		{name: "max_in_flight", kind: integer(&p.MaxInFlight, 1, 10*maxMessages), def: int64(10_000),
			doc: "How many events may be pulled and not settled, wherever they wait. No more are pulled meanwhile."},
		{name: "max_in_flight_bytes", kind: size(&p.MaxInFlightBytes, 1, 1<<40), def: "256MiB",
			doc: "How large those events may be together; the last pull may go beyond."},
		{name: "partition_by", kind: partitionBy(&p.PartitionBy),
			doc: "The partition_by of the processors and of each batcher that has none of its own."},
		{name: "on_failure", kind: oneOf(&p.OnFailure, "retry", "dead_letter", haltPartition, "drop", unlock), def: "retry",
			doc: "What becomes of an event that fails, unless the plugin says otherwise: retry tries again what was said to be retryable, " +
				"and does with all else as retry.exhausted says; dead_letter keeps it aside in the journal; halt_partition leaves it and those behind it " +
				"in its partition where they are; drop gives it up and counts it; " +
				"unlock has the server deliver it anew, and where the server cannot (EventRelay's own cannot yet) it is as retry.exhausted says."},
		{name: "producer", kind: producer(&p.Producer, &p.PartitionBy), need: true,
			doc: "Where the events come from."},
		{name: "plugin", kind: table(pluginKeys(&p.Plugin), signatureNeedsKeys(&p.Plugin)), need: true,
			doc: "The WebAssembly module that handles the events."},
		{name: "processors", kind: table(processors), def: empty,
			doc: "Exactly one set, named default."},
		{name: "batchers", kind: batchers(&p.Batchers, &p.PartitionBy), def: empty,
			doc: fmt.Sprintf("The batchers, by name; none by default, at most %d. A message goes to the one that handle_message "+
				"names, or else to default. Each calls the plugin's handle_batch with one batch at a time.", maxBatchers)},
		{name: "retry", kind: retry(&p.Retry, &p.Processors), def: empty,
			doc: "How an event that failed is tried again, from its original on."},
		{name: "dead_letters", kind: deadLetters(&p.DeadLetters), def: empty,
			doc: "Where dead letters go beside the journal, which keeps them until they are retried or purged. Nowhere by default."},
	}
}

func deadLetters(d *DeadLetters) kind {
	return table([]key{
		{name: "sink", kind: oneOf(&d.Sink, "stdout"),
			doc: "A sink that gets each as a line of JSON, as `relayhost deadletters export` writes it."},
		{name: "topic", kind: topic(&d.Topic),
			doc: "A topic of the producer's server to publish each to, as an event named relayhost.dead_letter."},
		{name: "token", kind: hushed(&d.Token), needIf: func() bool { return d.Topic != "" },
			doc: "The token of a producer key that may publish to topic."},
	}, rule{[]string{"sink", "topic"}, func() (string, string) {
		if d.Sink != "" && d.Topic != "" {
			return "sink and topic exclude each other", "keep one of them"
		}
		return "", ""
	}})
}

// pipelineRules are what a pipeline's keys must fulfil together.
func pipelineRules(p *Pipeline) []rule {
	return []rule{{[]string{"on_failure"}, func() (string, string) {
		if p.OnFailure == haltPartition && p.Processors.PartitionBy == nil {
			return "is " + haltPartition + ", and " + unpartitioned, hintPartition
		}
		return "", ""
	}}, {[]string{"on_failure", "producer", "retry"}, func() (string, string) {
		switch {
		case p.OnFailure != unlock:
		case p.Producer.Mode != queueMode:
			return "is " + unlock + ", and nothing is locked in mode log", "choose another, or producer.mode = \"queue\""
		case p.Retry.Exhausted == haltPartition:
			return "is " + unlock + ", and its fallback retry.exhausted is " + haltPartition, "let retry.exhausted be dead_letter or drop"
		}
		return "", ""
	}}, {[]string{"plugin", "partition_by", "processors", "batchers"}, func() (string, string) {
		if p.Plugin.Rollout.Mode == canary && len(p.partitions()) > 1 {
			return "has rollout.mode = \"" + canary + "\", and canary keeps the order of one field, not of " + strings.Join(p.partitions(), " and "),
				"give the processors and the batchers one and the same partition_by, or choose mode immediate or shadow"
		}
		return "", ""
	}}}
}

// partitions are the fields by which a stage keeps an order, each once.
func (p *Pipeline) partitions() (fields []string) {
	all := []*partition.Field{p.Processors.PartitionBy}
	for _, b := range p.Batchers {
		all = append(all, b.PartitionBy)
	}
	for _, f := range all {
		if f != nil && !slices.Contains(fields, f.String()) {
			fields = append(fields, f.String())
		}
	}
	return fields
}

const (
	haltPartition = "halt_partition"
	unlock        = "unlock"
	queueMode     = "queue"
	logMode       = "log"
	canary        = "canary"
	unpartitioned = "the processors have no partition_by"
	hintPartition = `give the pipeline or its processors one, like partition_by = "user_key"`
)

func retry(r *Retry, p *Processors) kind {
	keys := []key{
		{name: "max_attempts", kind: integer(&r.MaxAttempts, 1, maxMessages), def: int64(5),
			doc: "How often an event is handled at most, the first time among them."},
		{name: "backoff", kind: duration(&r.Backoff, shortest, longest), def: "100ms",
			doc: "The wait before the second attempt; twice as long before each further one, and up to a fifth more or less by chance."},
		{name: "max_backoff", kind: duration(&r.MaxBackoff, shortest, longest), def: "30s",
			doc: "The longest wait, but for chance. At least backoff."},
		{name: "keep_order", kind: boolean(&r.KeepOrder), def: false,
			doc: "Whether the later events of a partition wait for one that is tried again. The processors need a partition_by."},
		{name: "exhausted", kind: oneOf(&r.Exhausted, "dead_letter", haltPartition, "drop"), def: "dead_letter",
			doc: "What becomes of an event that was to be tried again and may not be, or no more: as in on_failure."},
	}
	return table(keys,
		rule{[]string{"backoff", "max_backoff"}, func() (string, string) {
			if r.Backoff > r.MaxBackoff {
				return fmt.Sprintf("backoff must be at most max_backoff, %s, not %s", short(r.MaxBackoff), short(r.Backoff)), ""
			}
			return "", ""
		}},
		rule{[]string{"keep_order"}, func() (string, string) {
			if r.KeepOrder && p.PartitionBy == nil {
				return "is true, and " + unpartitioned, hintPartition
			}
			return "", ""
		}},
		rule{[]string{"exhausted"}, func() (string, string) {
			if r.Exhausted == haltPartition && p.PartitionBy == nil {
				return "is " + haltPartition + ", and " + unpartitioned, hintPartition
			}
			return "", ""
		}})
}

func producer(p *Producer, by **partition.Field) kind {
	keys := slices.Concat([]key{
		{name: "type", kind: oneOf(&p.Type, "eventrelay"), def: "eventrelay",
			doc: "The kind of producer."},
	}, readingKeys(p, by), connectionKeys(p), pullKeys(p))
	return table(keys, slices.Concat(connectionRules(p), readingRules(p))...)
}

// readingKeys say which events are read, and how.
func readingKeys(p *Producer, by **partition.Field) []key {
	return []key{
		{name: "mode", kind: oneOf(&p.Mode, queueMode, logMode), def: queueMode,
			doc: "How events are read: queue pulls a destination's queue, which several hosts may share and which delivers an event at most once; " +
				"log reads a topic with a cursor of the host's own, and loses none."},
		{name: "destination_id", kind: uuid(&p.DestinationID), needIf: func() bool { return p.Mode == queueMode },
			doc: "The EventRelay destination whose queue is pulled; mode queue needs it. Like a secret it may be an environment variable or a file."},
		{name: "topic", kind: topic(&p.Topic), needIf: func() bool { return p.Mode == logMode },
			doc: "The topic that is read, as NAME or NAME:IDENTIFIER; mode log needs it. In mode queue it is the destination's, for reconcile and `relayhost replay`."},
		{name: "query", kind: query(&p.Query),
			doc: "Which of the topic's events are read, in EventRelay's language, like \"name == 'user.created' and data.n > 2\". All by default. In mode queue it must be the destination's own."},
		{name: "start", kind: start(&p.Start), def: "earliest",
			doc: "Where mode log begins when the journal has no cursor: \"earliest\", \"latest\", the offset of the first event, or a date and time, which is compared with occurred_at. Later runs go on where the one before was."},
		{name: "shard", kind: shard(&p.Shard), def: "1/1",
			doc: "Which part of the topic this host reads in mode log: \"2/3\" is the second of three."},
		{name: "shard_by", kind: partitionBy(&p.ShardBy), def: inherited(by),
			doc: "The field whose equal values are in one shard. Several shards need it."},
		{name: "lookback", kind: table(lookbackKeys(&p.Lookback)), def: empty,
			doc: "How far below its cursor mode log looks for events that came late: committed after later ones, or with a future available_at. The first bound that is reached counts."},
		{name: "reconcile", kind: boolean(&p.Reconcile), def: false,
			doc: "Whether mode queue looks in the topic for events that the server has locked and not delivered. Only for a destination that no other host pulls."},
		{name: "reconcile_interval", kind: duration(&p.ReconcileInterval, time.Second, longest), def: "1m",
			doc: "How often, beside the start and after each pull that failed."},
		{name: "reconcile_start", kind: start(&p.ReconcileStart), def: "latest",
			doc: "Where that begins when the journal has no cursor, as start. Only \"latest\" is safe for a destination that was pulled before: " +
				"what was delivered then would be handled again. \"earliest\" is for a new one, whose first pulls are covered then."},
	}
}

// connectionKeys say where the server is.
func connectionKeys(p *Producer) []key {
	return []key{
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
		{name: "tls", kind: boolean(&p.TLS), def: computed{"true if there is a certfile, keyfile or cacertfile", func() any { return p.certificates() }},
			doc: "Whether to connect with TLS."},
	}
}

// pullKeys say how often, and how much at a time.
func pullKeys(p *Producer) []key {
	return []key{
		{name: "pull_interval", kind: duration(&p.PullInterval, shortest, longest), def: "5s",
			doc: "How long to wait after an empty answer before the next pull."},
		{name: "pull_timeout", kind: duration(&p.PullTimeout, time.Second, longest),
			doc: "How long a pull may take. EventRelay never gives again what an interrupted pull was to bring: leave it out if you can."},
		{name: "concurrency", kind: integer(&p.Concurrency, 1, maxConcurrency), def: int64(1),
			doc: "How many producers pull at the same time."},
		{name: "rate_limiting", kind: table(rateKeys(&p.RateLimiting)),
			doc: "How many events are pulled at most, by all producers of the pipeline together, in fixed windows. What a window leaves is not carried over. None without this table."},
	}
}

func (p *Producer) certificates() bool {
	return p.CertFile != "" || p.KeyFile != "" || p.CACertFile != ""
}

func connectionRules(p *Producer) []rule {
	return []rule{
		{[]string{"certfile", "keyfile"}, func() (string, string) {
			if (p.CertFile == "") != (p.KeyFile == "") {
				return "certfile and keyfile go together, and one is missing", "give both for mutual TLS, or neither"
			}
			return "", ""
		}},
		{[]string{"tls", "certfile", "keyfile", "cacertfile"}, func() (string, string) {
			if !p.TLS && p.certificates() {
				return "is false, and yet there are certificates", "remove tls, or certfile, keyfile and cacertfile"
			}
			return "", ""
		}},
	}
}

func readingRules(p *Producer) []rule {
	return []rule{
		onlyIn(&p.Mode, queueMode, "destination_id", func() bool { return p.DestinationID != "" }),
		onlyIn(&p.Mode, queueMode, "reconcile", func() bool { return p.Reconcile }),
		onlyIn(&p.Mode, logMode, "shard", func() bool { return p.Shard.Count > 1 }),
		{[]string{"reconcile"}, func() (string, string) {
			if p.Reconcile && p.Topic == "" {
				return "is true, and there is no topic to look in", "give the destination's topic as topic"
			}
			return "", ""
		}},
		{[]string{"shard", "shard_by"}, func() (string, string) {
			if p.Shard.Count > 1 && p.ShardBy == nil {
				return "is one of several, and there is no shard_by", `say which events belong together, like shard_by = "user_key"`
			}
			return "", ""
		}},
	}
}

// onlyIn has a key be used in one mode only.
func onlyIn(mode *string, is, name string, used func() bool) rule {
	return rule{[]string{name, "mode"}, func() (string, string) {
		if *mode != is && used() {
			return "is for mode = \"" + is + "\" only", "remove it, or change mode"
		}
		return "", ""
	}}
}

func lookbackKeys(l *Lookback) []key {
	return []key{
		{name: "time", kind: duration(&l.Time, time.Second, 30*24*time.Hour), def: "10m",
			doc: "How long after an event those below it are looked for."},
		{name: "events", kind: integer(&l.Events, 1000, 100*maxMessages), def: int64(100_000),
			doc: "How many events are remembered for that, each by its id."},
		{name: "bytes", kind: size(&l.Bytes, 64<<10, 16<<30), def: "32MiB",
			doc: "How much memory that may take."},
	}
}

func rateKeys(r *RateLimiting) []key {
	return []key{
		{name: "allowed_messages", kind: integer(&r.AllowedMessages, 1, 1_000_000_000), need: true,
			doc: "The most events of a window."},
		{name: "interval", kind: duration(&r.Interval, shortest, longest), need: true,
			doc: "How long a window is."},
	}
}

func pluginKeys(p *Plugin) []key {
	return []key{
		{name: "module", kind: path(&p.Module), need: true,
			doc: "The .wasm file."},
		{name: "sha256", kind: digest(&p.SHA256),
			doc: "The digest that the file must have. Another file is refused, whoever wrote it."},
		{name: "public_keys", kind: publicKeys(&p.PublicKeys),
			doc: "The keys of which one must have signed the file, for `minisign` or for plain Ed25519. Without them no signature is asked for."},
		{name: "signature", kind: path(&p.Signature), def: computed{"as module, with .minisig after it, or else .sig", func() any { return nil }},
			doc: "The file of the signature: minisign's, or 64 bytes of Ed25519 as they are, in base64 or in hexadecimal."},
		{name: "state", kind: oneOf(&p.State, "reuse", "message"), def: "reuse",
			doc: "What a call finds of those before it: an instance is reused as it is, or put back to what configure left."},
		{name: "idle_timeout", kind: duration(&p.IdleTimeout, 0, longest), def: "5m",
			doc: "An instance that had nothing to do for so long is given back, after teardown, within twice that time; the next message that comes to its slot makes a new one. With 0s there is one for each slot from the start on."},
		{name: "clock", kind: oneOf(&p.Clock, "real", "coarse", "fixed"), def: "real",
			doc: "The time that the plugin is told: the machine's, the machine's in steps of 10 ms, or one that only sleeps move, from 2000-01-01 on."},
		{name: "random", kind: oneOf(&p.Random, "real", "seeded"), def: "real",
			doc: "The random bytes that the plugin is given: the machine's, or bytes that depend on the event's id alone."},
		{name: "config", kind: freeform(&p.Config), def: empty,
			doc: "Any table. The plugin's configure gets it as a JSON object: dates and times as RFC 3339 text; no nan, no inf."},
		{name: "limits", kind: table(limitKeys(&p.Limits), keptMemory(&p.Limits)), def: empty,
			doc: "What the module may be made of, and what an instance and a call may use. A message that goes beyond fails, and its instance is replaced."},
		{name: "rollout", kind: table(rolloutKeys(&p.Rollout)), def: empty,
			doc: "How a new version of the module goes live while events flow."},
	}
}

func signatureNeedsKeys(p *Plugin) rule {
	return rule{[]string{"signature", "public_keys"}, func() (string, string) {
		if p.Signature != "" && p.PublicKeys == nil {
			return "is given, and there are no public_keys to check it with", "give public_keys, or remove it"
		}
		return "", ""
	}}
}

func rolloutKeys(r *Rollout) []key {
	return slices.Concat([]key{
		{name: "mode", kind: oneOf(&r.Mode, "immediate", canary, "shadow"), def: "immediate",
			doc: "immediate: the new version takes over all messages at once; canary: it handles a share of them first, and is promoted or rolled back by how it does; " +
				"shadow: it handles a share of them beside the old version, whose results alone are delivered, and the differences are reported."},
		{name: "watch", kind: boolean(&r.Watch), def: true,
			doc: "Whether a new file at module goes live by itself."},
		{name: "poll_interval", kind: duration(&r.PollInterval, 100*time.Millisecond, longest), def: "10s",
			doc: "How often the file is looked at, for file systems that tell of no change, like those over a network."},
		{name: "share", kind: number(&r.Share, 0.1, 100), def: 10.0,
			doc: "The percentage of the messages that a canary or a shadow handles: those of a part of the partitions, so that order holds."},
	}, judgementKeys(r))
}

// judgementKeys say when a canary is worse than the version that it is to
// replace.
func judgementKeys(r *Rollout) []key {
	return []key{
		{name: "window", kind: duration(&r.Window, time.Second, longest), def: "1m",
			doc: "How long a canary or a shadow is looked at before it is judged."},
		{name: "min_messages", kind: integer(&r.MinMessages, 1, 10*maxMessages), def: int64(100),
			doc: "How many messages it must have handled by then; the window is longer if it needs to be."},
		{name: "max_failure_increase", kind: number(&r.MaxFailureIncrease, 0, 100), def: 1.0,
			doc: "How many percentage points more of its messages than of the old version's may fail."},
		{name: "max_latency_ratio", kind: number(&r.MaxLatencyRatio, 1, 1000), def: 1.5,
			doc: "How many times as long as the old version it may take."},
		{name: "max_fuel_ratio", kind: number(&r.MaxFuelRatio, 1, 1000), def: 1.5,
			doc: "How many times as much fuel as the old version it may use."},
	}
}

func limitKeys(l *Limits) []key {
	half := computed{"half of memory", func() any { return binarySize(max(l.Memory/2, pageSize)) }}
	return slices.Concat(callKeys(l), []key{
		{name: "memory", kind: size(&l.Memory, pageSize, 4<<30), def: "256MiB",
			doc: "The most memory of one instance, in steps of 64 KiB."},
		{name: "kept_memory", kind: size(&l.KeptMemory, pageSize, 4<<30), def: half,
			doc: "An instance that calls have left larger than this is replaced, so that a leak ends between messages."},
		{name: "table_elements", kind: integer(&l.TableElements, 1, 10_000_000), def: int64(100_000),
			doc: "The most elements of a table."},
		{name: "output_size", kind: size(&l.OutputSize, 1, 1<<30), def: "16MiB",
			doc: "The longest output of one call."},
		{name: "output_records", kind: integer(&l.OutputRecords, 1, 10_000_000), def: int64(65_536),
			doc: "The most records of one batch."},
		{name: "outputs", kind: integer(&l.Outputs, 1, 1_000_000), def: int64(1000),
			doc: "The most messages that handle_message may make of one."},
		{name: "log_lines", kind: integer(&l.LogLines, 1, 1_000_000), def: int64(100),
			doc: "The log lines of a slot in a second; twice as many may come at once. What is above is dropped and counted."},
		{name: "log_bytes", kind: size(&l.LogBytes, 8<<10, 1<<30), def: "64KiB",
			doc: "The bytes of those lines in a second, likewise. A line is cut at 8 KiB."},
		{name: "spares", kind: integer(&l.Spares, 1, 16), def: int64(1),
			doc: "The instances that a slot keeps ready once it has lost one."},
		{name: "failures", kind: integer(&l.Failures, 1, 1_000_000), def: int64(20),
			doc: "After so many failures in a row, other than the handler's own, the plugin is given a rest of 100 ms, twice as long after each further failure, up to 30 s. Messages wait meanwhile."},
	}, moduleKeys(l))
}

func callKeys(l *Limits) []key {
	const least, most = 1_000, 1_000_000_000_000_000
	deadline := func(name, def, doc string, dst *time.Duration) key {
		return key{name: name, kind: duration(dst, shortest, longest), def: def, doc: doc}
	}
	fuel := func(name string, def int64, doc string, dst *int) key {
		return key{name: name, kind: integer(dst, least, most), def: def, doc: doc}
	}
	return []key{
		deadline("message_deadline", "5s", "How long handle_message may take.", &l.MessageDeadline),
		deadline("batch_deadline", "30s", "How long handle_batch, prepare_messages and handle_failed may take, each.", &l.BatchDeadline),
		deadline("configure_deadline", "10s", "How long configure may take.", &l.ConfigureDeadline),
		deadline("start_deadline", "10s", "How long the start function, _initialize and teardown may take, each.", &l.StartDeadline),
		fuel("message_fuel", 50e9, "What handle_message may execute, in units of about an instruction. The barest loop runs some 4 billion a second.", &l.MessageFuel),
		fuel("batch_fuel", 300e9, "What handle_batch, prepare_messages and handle_failed may execute, each.", &l.BatchFuel),
		fuel("configure_fuel", 100e9, "What configure may execute.", &l.ConfigureFuel),
		fuel("start_fuel", 100e9, "What the start function, _initialize and teardown may execute, each.", &l.StartFuel),
	}
}

func moduleKeys(l *Limits) []key {
	return []key{
		{name: "module_size", kind: size(&l.ModuleSize, 1, 1<<30), def: "64MiB",
			doc: "The largest module file."},
		{name: "functions", kind: integer(&l.Functions, 1, 1_000_000), def: int64(100_000),
			doc: "The most functions of a module."},
		{name: "function_size", kind: size(&l.FunctionSize, 1, 1<<30), def: "4MiB",
			doc: "The longest code of one function."},
		{name: "locals", kind: integer(&l.Locals, 1, 50_000), def: int64(50_000),
			doc: "The most locals of one function, its parameters among them."},
		{name: "nesting", kind: integer(&l.Nesting, 1, 100_000), def: int64(10_000),
			doc: "How deep blocks may lie in blocks."},
		{name: "compile_time", kind: duration(&l.CompileTime, time.Second, longest), def: "1m",
			doc: "How long a module may take to compile; looked at between functions."},
	}
}

// keptMemory has no more kept than there may be.
func keptMemory(l *Limits) rule {
	return rule{[]string{"kept_memory", "memory"}, func() (string, string) {
		if l.KeptMemory > l.Memory {
			return fmt.Sprintf("must be at most memory, %s, not %s", binarySize(l.Memory), binarySize(l.KeptMemory)), ""
		}
		return "", ""
	}}
}

func processors(p *Processors, by **partition.Field) kind {
	twice := computed{"2 × CPUs", func() any { return int64(min(2*runtime.GOMAXPROCS(0), maxConcurrency)) }}
	half := computed{"half of max_demand, rounded down", func() any { return int64(p.MaxDemand / 2) }}
	keys := []key{
		{name: "concurrency", kind: integer(&p.Concurrency, 1, maxConcurrency), def: twice,
			doc: "How many processors, each with its own instance of the plugin."},
		{name: "max_demand", kind: integer(&p.MaxDemand, 1, maxMessages), def: int64(10),
			doc: "How many events a processor asks for ahead of need."},
		{name: "min_demand", kind: integer(&p.MinDemand, 0, maxMessages-1), def: half,
			doc: "A processor asks again when this many are left. Less than max_demand."},
		{name: "partition_by", kind: partitionBy(&p.PartitionBy), def: inherited(by),
			doc: "The field whose equal values one processor handles, in the order in which they came."},
	}
	return table(keys, rule{[]string{"min_demand", "max_demand"}, func() (string, string) {
		if p.MinDemand >= p.MaxDemand {
			return fmt.Sprintf("must be less than max_demand, %d, not %d", p.MaxDemand, p.MinDemand), ""
		}
		return "", ""
	}})
}

func batcherKeys(b *Batcher, by **partition.Field) []key {
	return []key{
		{name: "concurrency", kind: integer(&b.Concurrency, 1, maxConcurrency), def: int64(1),
			doc: "How many batch processors, each with its own instance of the plugin."},
		{name: "batch_size", kind: integer(&b.BatchSize, 1, maxMessages), def: int64(100),
			doc: "A batch goes off when it has this many messages."},
		{name: "batch_bytes", kind: size(&b.BatchBytes, 1, 1<<30), def: "64MiB",
			doc: "A batch goes off before a message that would make it larger than this. A message that is larger by itself is a batch of its own."},
		{name: "batch_timeout", kind: duration(&b.BatchTimeout, shortest, longest), def: "1s",
			doc: "A batch goes off this long after its first message."},
		{name: "max_open", kind: integer(&b.MaxOpen, 1, maxMessages), def: int64(10_000),
			doc: "How many batches may be open at once in a partition, one for each batch key; when there is one more, the oldest goes off as it is."},
		{name: "partition_by", kind: partitionBy(&b.PartitionBy), def: inherited(by),
			doc: "The field whose equal values one batch processor handles, in the order in which they came."},
		{name: "sink", kind: oneOf(&b.Sink, "stdout"), def: "stdout",
			doc: "Where the records that handle_batch returns are delivered."},
		{name: "sink_timeout", kind: duration(&b.SinkTimeout, shortest, longest), def: "30s",
			doc: "How long a delivery may take. A batch whose delivery fails can be tried again."},
	}
}

// inherited is the default of a stage's partition_by.
func inherited(by **partition.Field) computed {
	return computed{"the pipeline's", func() any {
		if *by == nil {
			return nil
		}
		return *by
	}}
}
