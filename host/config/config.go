// Package config turns relayhost.toml into a [Config]: defaults filled in,
// every value checked, secrets fetched. Start with [Load].
//
// # Faults
//
// Whatever is wrong is found in one go and returned as [Faults]: each names
// the file, the line, the key and, where one is known, the remedy. No fault
// shows the text of a value, since it may be a secret in the wrong place.
//
// # One schema
//
// schema.go declares every key once: its type, default, range and meaning. The
// checks, the lists of valid keys and docs/config.md (see [Reference]) all come
// from there.
//
// # Hostile files
//
// A file may be anything: it is at most 1 MiB, nests at most 64 deep, and holds
// at most 10,000 pipelines. Nothing is opened but the file itself and the files
// that hold tokens; certificates and plugins are for others to read.
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/relayhost/relayhost/host/partition"
	"github.com/relayhost/relayhost/host/provenance"
	"github.com/relayhost/relayhost/host/secret"
)

// maxFile bounds the configuration file, in bytes.
const maxFile = 1 << 20

// Config is a whole relayhost.toml.
type Config struct {
	// CacheDir is where compiled plugins are kept; empty if none was given and
	// the system has no cache directory for the user.
	CacheDir string
	Metrics  Metrics
	Journal  Journal
	Versions Versions
	Control  Control
	// Pipelines has at least one item, in the file's order, with unique names.
	Pipelines []Pipeline
}

// Journal is where what is in flight is kept.
type Journal struct {
	// Enabled: without it the rest does not matter.
	Enabled bool
	Dir     string
	// Fsync is "always", "interval" or "off".
	Fsync         string
	FsyncInterval time.Duration
	MaxBytes      int
}

// Metrics is where the metrics are.
type Metrics struct {
	// Listen is HOST:PORT, empty for no listener.
	Listen string
}

// Versions is where the versions of plugins that went live are kept, and how
// many of each pipeline.
type Versions struct {
	Dir  string
	Keep int
}

// Control is where a running host is told what to do, beside the socket in the
// journal's folder.
type Control struct {
	// Listen is HOST:PORT, empty for no listener.
	Listen string
	// Token is there with Listen.
	Token secret.Text
	// CertFile and KeyFile are both set or both empty, and set if Listen is not
	// a loopback address.
	CertFile, KeyFile string
}

// Pipeline is one [[pipeline]].
type Pipeline struct {
	Name string
	// Shutdown is the one deadline of the whole drain.
	Shutdown                      time.Duration
	MaxInFlight, MaxInFlightBytes int
	// PartitionBy is nil for none. The processors and batchers have it already,
	// if they have none of their own.
	PartitionBy *partition.Field
	// OnFailure is "retry", "dead_letter", "halt_partition", "drop" or "unlock".
	// With "halt_partition" the processors are partitioned.
	OnFailure  string
	Producer   Producer
	Plugin     Plugin
	Processors Processors
	// Batchers is sorted by name, and may be empty.
	Batchers    []Batcher
	Retry       Retry
	DeadLetters DeadLetters
}

// DeadLetters says where dead letters go beside the journal: to Sink, "stdout",
// or to Topic, or nowhere if both are empty.
type DeadLetters struct {
	Sink, Topic string
	Token       secret.Text
}

// Retry says how a failure is tried again. Backoff is at most MaxBackoff.
type Retry struct {
	MaxAttempts         int
	Backoff, MaxBackoff time.Duration
	// KeepOrder is false unless the processors are partitioned.
	KeepOrder bool
	// Exhausted is "dead_letter", "halt_partition" or "drop". With
	// "halt_partition" the processors are partitioned.
	Exhausted string
}

// Producer is where a pipeline's events come from.
type Producer struct {
	// Type is "eventrelay".
	Type string
	// Mode is "queue" or "log".
	Mode string
	// DestinationID is a UUID in lower case, empty in mode log.
	DestinationID string
	// Topic is there in mode log, and with Reconcile.
	Topic, Query string
	Start        Start
	// Shard is of 1 but in mode log. ShardBy is nil for none, and there if the
	// shard is one of several.
	Shard             Shard
	ShardBy           *partition.Field
	Lookback          Lookback
	Reconcile         bool
	ReconcileInterval time.Duration
	ReconcileStart    Start
	Host              string
	Port              int
	Token             secret.Text
	TLS               bool
	// CertFile and KeyFile are both set or both empty.
	CertFile, KeyFile, CACertFile string
	PullInterval                  time.Duration
	// PullTimeout is 0 for none.
	PullTimeout  time.Duration
	Concurrency  int
	RateLimiting RateLimiting
}

// Start is where to begin to read a log: the latest event, or Offset or Time if
// they are not zero, or else the first.
type Start struct {
	Latest bool
	Offset int64
	Time   time.Time
}

// Shard is the Index-th of Count parts, from 1 on.
type Shard struct{ Index, Count int }

// Lookback bounds the search for events that come late.
type Lookback struct {
	Time          time.Duration
	Events, Bytes int
}

// RateLimiting is a fixed window. Either both are above 0, or both are 0 and
// there is no limit.
type RateLimiting struct {
	AllowedMessages int
	Interval        time.Duration
}

// Plugin is the module that handles a pipeline's events.
type Plugin struct {
	// Module is the path of the .wasm file.
	Module string
	// SHA256 is 64 digits in lower case, empty for no pin.
	SHA256 string
	// PublicKeys is nil if no signature is asked for.
	PublicKeys []provenance.Key
	// Signature is the signature's file; empty for one beside the module.
	Signature string
	// State is "reuse" or "message", Clock "real", "coarse" or "fixed", Random
	// "real" or "seeded".
	State, Clock, Random string
	// IdleTimeout is 0 for instances that are never given back.
	IdleTimeout time.Duration
	Limits      Limits
	// Config is a JSON object, the same bytes for the same table.
	Config  json.RawMessage
	Rollout Rollout
}

// Rollout says how a new version of a plugin goes live.
type Rollout struct {
	// Mode is "immediate", "canary" or "shadow". With "canary" all stages that
	// are partitioned are so by the same field.
	Mode         string
	Watch        bool
	PollInterval time.Duration
	// Share is in percent.
	Share       float64
	Window      time.Duration
	MinMessages int
	// MaxFailureIncrease is in percentage points.
	MaxFailureIncrease, MaxLatencyRatio, MaxFuelRatio float64
}

// Limits are the limits of a plugin, none of them 0. Sizes are in bytes, fuel in
// units of about an instruction.
type Limits struct {
	MessageDeadline, BatchDeadline, ConfigureDeadline, StartDeadline time.Duration
	MessageFuel, BatchFuel, ConfigureFuel, StartFuel                 int
	// KeptMemory is at most Memory.
	Memory, KeptMemory, TableElements  int
	OutputSize, OutputRecords, Outputs int
	LogLines, LogBytes                 int
	Spares, Failures                   int

	ModuleSize, Functions, FunctionSize, Locals, Nesting int
	CompileTime                                          time.Duration
}

// Processors is the pipeline's set of processors. MinDemand < MaxDemand.
type Processors struct {
	Concurrency, MaxDemand, MinDemand int
	// PartitionBy is nil for none.
	PartitionBy *partition.Field
}

// Batcher is one [pipeline.batchers.<name>].
type Batcher struct {
	Name                   string
	Concurrency, BatchSize int
	BatchBytes, MaxOpen    int
	BatchTimeout           time.Duration
	// PartitionBy is nil for none.
	PartitionBy *partition.Field
	// Sink is "stdout".
	Sink        string
	SinkTimeout time.Duration
}

// Load reads the configuration file. The error is [Faults]; it matches
// [fs.ErrNotExist] if there is no such file. With an error there may yet be a
// Config, with what could be read: to look for more faults in, not to run.
func Load(file string) (*Config, error) {
	data, err := read(file)
	if err != nil {
		return nil, Faults{unreadable(file, err)}
	}
	return Parse(file, data)
}

// Parse is Load for a text at hand. The file's name is for messages and, by
// its folder, for relative paths.
func Parse(file string, data []byte) (*Config, error) {
	document, where, fault := decode(data)
	if fault != nil {
		fault.File = file
		return nil, Faults{*fault}
	}
	var config Config
	c := &checker{file: file, dir: filepath.Dir(file)}
	root := table(configKeys(&config), configRules(&config)...)
	root.check(c, place{value: document, at: where})
	return &config, c.err()
}

// errTooLarge is what read returns for a file over maxFile.
var errTooLarge = fmt.Errorf("larger than %d bytes", maxFile)

func read(file string) ([]byte, error) {
	f, err := os.Open(file) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if len(data) > maxFile {
		return nil, errTooLarge
	}
	return data, err
}

func unreadable(file string, err error) Fault {
	fault := Fault{File: file, Problem: "cannot be read: " + pathless(err).Error(), Err: err}
	if errors.Is(err, fs.ErrNotExist) {
		fault.Problem = "there is no such file"
		fault.Hint = "name another with -c; `relayhost demo` needs none"
	}
	return fault
}

// pathless is the cause of a file's error, without the path that messages have
// already.
func pathless(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
