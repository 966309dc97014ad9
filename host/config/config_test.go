package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/secret"

	"github.com/google/go-cmp/cmp"

	"github.com/relayhost/relayhost/host/config"
)

const secretText = "a2V5OnNlY3JldA=="

func TestDefaults(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/cache")
	c, message := parse(smallest + "[pipeline.batchers.default]\n")
	if message != "" {
		t.Fatal(message)
	}
	p := c.Pipelines[0]
	if p.Producer.Token.Reveal() != secretText {
		t.Error("the token is not what the file says")
	}
	p.Producer.Token = secret.Text{}
	p.Processors.Concurrency = 0 // the machine's
	want := config.Pipeline{
		Name: "users", Shutdown: 30 * time.Second, MaxInFlight: 10_000, MaxInFlightBytes: 256 << 20, OnFailure: "retry",
		Producer: config.Producer{
			Type: "eventrelay", Mode: "queue", DestinationID: "6b0a4f3e-8f0c-4c1d-9a55-0d6f3a1e2b7c",
			Shard: config.Shard{Index: 1, Count: 1}, ReconcileInterval: time.Minute, ReconcileStart: config.Start{Latest: true},
			Lookback: config.Lookback{Time: 10 * time.Minute, Events: 100_000, Bytes: 32 << 20},
			Host:     "localhost", Port: 50051, PullInterval: 5 * time.Second, Concurrency: 1,
		},
		Plugin: config.Plugin{
			Module: "upcase.wasm", State: "reuse", Clock: "real", Random: "real", IdleTimeout: 5 * time.Minute,
			Limits: config.Limits{
				MessageDeadline: 5 * time.Second, BatchDeadline: 30 * time.Second,
				ConfigureDeadline: 10 * time.Second, StartDeadline: 10 * time.Second,
				MessageFuel: 50e9, BatchFuel: 300e9, ConfigureFuel: 100e9, StartFuel: 100e9,
				Memory: 256 << 20, KeptMemory: 128 << 20, TableElements: 100_000,
				OutputSize: 16 << 20, OutputRecords: 65_536, Outputs: 1000, LogLines: 100, LogBytes: 64 << 10,
				Spares: 1, Failures: 20,
				ModuleSize: 64 << 20, Functions: 100_000, FunctionSize: 4 << 20,
				Locals: 50_000, Nesting: 10_000, CompileTime: time.Minute,
			},
			Config: json.RawMessage("{}"),
			Rollout: config.Rollout{
				Mode: "immediate", Watch: true, PollInterval: 10 * time.Second, Share: 10, Window: time.Minute, MinMessages: 100,
				MaxFailureIncrease: 1, MaxLatencyRatio: 1.5, MaxFuelRatio: 1.5,
			},
		},
		Processors: config.Processors{MaxDemand: 10, MinDemand: 5},
		Batchers: []config.Batcher{{
			Name: "default", Concurrency: 1, BatchSize: 100, BatchBytes: 64 << 20, BatchTimeout: time.Second,
			MaxOpen: 10_000, Sink: "stdout", SinkTimeout: 30 * time.Second,
		}},
		Retry: config.Retry{MaxAttempts: 5, Backoff: 100 * time.Millisecond, MaxBackoff: 30 * time.Second, Exhausted: "dead_letter"},
	}
	if diff := cmp.Diff(want, p, cmp.AllowUnexported(secret.Text{}), cmp.Comparer(func(a, b secret.Text) bool { return a.Reveal() == b.Reveal() })); diff != "" {
		t.Error(diff)
	}
	if want := (config.Journal{Enabled: true, Dir: "relayhost.journal", Fsync: "always", FsyncInterval: time.Second, MaxBytes: 1 << 30}); c.Journal != want {
		t.Errorf("journal %+v", c.Journal)
	}
	if want := (config.Versions{Dir: "relayhost.versions", Keep: 5}); c.Versions != want || c.Control.Listen != "" {
		t.Errorf("versions %+v, control %+v", c.Versions, c.Control)
	}
}

// limited is the limits of testdata/full.toml.
var limited = config.Limits{
	MessageDeadline: 100 * time.Millisecond, BatchDeadline: 200 * time.Millisecond,
	ConfigureDeadline: 300 * time.Millisecond, StartDeadline: 400 * time.Millisecond,
	MessageFuel: 1e6, BatchFuel: 2e6, ConfigureFuel: 3e6, StartFuel: 4e6,
	Memory: 64 << 20, KeptMemory: 32 << 20, TableElements: 1000,
	OutputSize: 100 << 10, OutputRecords: 10, Outputs: 7, LogLines: 5, LogBytes: 8 << 10, Spares: 2, Failures: 3,
	ModuleSize: 10 << 20, Functions: 1000, FunctionSize: 1 << 20, Locals: 100, Nesting: 50, CompileTime: 5 * time.Second,
}

// Every key of every table, in the notations that TOML has.
func TestFull(t *testing.T) {
	t.Setenv("RELAYHOST_TOKEN", "from-the-environment")
	c, err := config.Load("testdata/full.toml")
	if err != nil {
		t.Fatal(err)
	}
	users, orders := c.Pipelines[0], c.Pipelines[1]
	for what, same := range map[string]bool{
		"cache_dir":           c.CacheDir == filepath.Join("testdata", "cache"),
		"token of a variable": users.Producer.Token.Reveal() == "from-the-environment",
		"token of a file":     orders.Producer.Token.Reveal() != "" && !strings.HasSuffix(orders.Producer.Token.Reveal(), "\n"),
		"absolute path":       users.Producer.CACertFile == "/etc/relay/ca.pem",
		"relative path":       users.Producer.CertFile == filepath.Join("testdata", "certs", "client.pem"),
		"port":                users.Producer.Port == 50052,
		"idle_timeout":        users.Plugin.IdleTimeout == time.Hour,
		"state":               users.Plugin.State == "message" && users.Plugin.Clock == "coarse" && users.Plugin.Random == "seeded",
		"limits":              users.Plugin.Limits == limited,
		"metrics":             c.Metrics.Listen == "[::1]:9464",
		"journal":             c.Journal == config.Journal{Enabled: true, Dir: "/var/lib/relayhost", Fsync: "interval", FsyncInterval: 100 * time.Millisecond, MaxBytes: 2 << 30},
		"reconcile":           users.Producer.Reconcile && users.Producer.ReconcileInterval == 5*time.Minute && users.Producer.ReconcileStart == config.Start{Offset: 7} && users.Producer.Topic == "users:eu" && users.Producer.Query == "data.n > 2",
		"dead letters":        users.DeadLetters.Topic == "failed" && users.DeadLetters.Token.Reveal() == "from-the-environment" && orders.DeadLetters.Sink == "stdout",
		"log":                 orders.Producer.Mode == "log" && orders.Producer.Topic == "orders" && orders.Producer.DestinationID == "",
		"start":               orders.Producer.Start.Time.Equal(time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)),
		"shard":               orders.Producer.Shard == config.Shard{Index: 2, Count: 3} && orders.Producer.ShardBy.String() == "user_key",
		"lookback":            orders.Producer.Lookback == config.Lookback{Time: time.Hour, Events: 5000, Bytes: 1 << 20},
		"in flight":           users.MaxInFlight == 20_000 && users.MaxInFlightBytes == 1<<30,
		"rate_limiting":       users.Producer.RateLimiting == config.RateLimiting{AllowedMessages: 100, Interval: time.Second},
		"no rate_limiting":    orders.Producer.RateLimiting == config.RateLimiting{},
		"failures":            users.OnFailure == "halt_partition" && users.Retry == config.Retry{MaxAttempts: 3, Backoff: time.Second, MaxBackoff: time.Second, KeepOrder: true, Exhausted: "halt_partition"},
		"partitions":          users.PartitionBy.String() == "user_key" && users.Processors.PartitionBy.String() == `data.tenant.a\.b`,
		"no partitions":       orders.PartitionBy == nil && orders.Processors.PartitionBy == nil,
		"batchers' own":       users.Batchers[1].PartitionBy.String() == "context.region" && users.Batchers[0].PartitionBy == users.PartitionBy,
		"batcher":             users.Batchers[1].BatchBytes == 1<<20 && users.Batchers[1].MaxOpen == 50 && users.Batchers[1].SinkTimeout == 10*time.Second,
		"tls by cacertfile":   orders.Producer.TLS,
		"min_demand":          orders.Processors.MinDemand == 2,
		"sorted batchers":     users.Batchers[0].Name == "default" && users.Batchers[1].Name == "s3",
	} {
		if !same {
			t.Errorf("%s is not as the file says: %+v", what, c)
		}
	}
	golden(t, "testdata/full.json", string(users.Plugin.Config)+"\n")
}

// What that file says of how versions are trusted, rolled out and kept.
func TestFullVersions(t *testing.T) {
	t.Setenv("RELAYHOST_TOKEN", "from-the-environment")
	c, err := config.Load("testdata/full.toml")
	if err != nil {
		t.Fatal(err)
	}
	users, orders := c.Pipelines[0], c.Pipelines[1]
	for what, same := range map[string]bool{
		"versions":    c.Versions == config.Versions{Dir: filepath.Join("testdata", "versions"), Keep: 3},
		"control":     c.Control.Listen == "0.0.0.0:9465" && c.Control.Token.Reveal() == "from-the-environment" && c.Control.CertFile == filepath.Join("testdata", "certs", "control.pem") && c.Control.KeyFile == filepath.Join("testdata", "certs", "control-key.pem"),
		"sha256":      users.Plugin.SHA256 == "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" && orders.Plugin.SHA256 == "",
		"public keys": len(users.Plugin.PublicKeys) == 2 && users.Plugin.PublicKeys[0].String() == "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3" && orders.Plugin.PublicKeys == nil,
		"signature":   users.Plugin.Signature == filepath.Join("testdata", "plugins", "upcase.sig") && orders.Plugin.Signature == "",
		"rollout":     users.Plugin.Rollout == config.Rollout{Mode: "shadow", PollInterval: time.Minute, Share: 12.5, Window: 5 * time.Minute, MinMessages: 1000, MaxFailureIncrease: 0.5, MaxLatencyRatio: 2, MaxFuelRatio: 1.25},
		"canary":      orders.Plugin.Rollout.Mode == "canary",
	} {
		if !same {
			t.Errorf("%s is not as the file says: %+v", what, c)
		}
	}
}

// A time in quotes is one, as people write it who do not know that TOML has times.
func TestStartInQuotes(t *testing.T) {
	queue := `destination_id = "6b0a4f3e-8f0c-4c1d-9a55-0d6f3a1e2b7c"`
	log := `mode = "log"
topic = "users"
start = "2026-01-02T16:04:05+01:00"`
	c, message := parse(strings.Replace(smallest, queue, log, 1))
	if want := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC); message != "" || !c.Pipelines[0].Producer.Start.Time.Equal(want) {
		t.Errorf("got %v, %s", c.Pipelines[0].Producer.Start, message)
	}
}

// The listener for control needs a certificate only where others can reach it.
func TestControlOnLoopback(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "127.1.2.3:9465", "localhost:9465", "[::1]:9465", "[::ffff:127.0.0.1]:9465"} {
		c, message := parse("control.listen = \"" + listen + "\"\ncontrol.token = \"sixteen-bytes-it\"\n" + smallest)
		if message != "" || c.Control.Listen != listen {
			t.Errorf("%s: %s", listen, message)
		}
	}
}

// A pipeline's field is that of the processors, too, if they have none of their
// own.
func TestProcessorsInheritPartition(t *testing.T) {
	c, message := parse(inPipeline("partition_by = \"user_key\"\non_failure = \"halt_partition\"\nretry.keep_order = true"))
	if message != "" || c.Pipelines[0].Processors.PartitionBy.String() != "user_key" {
		t.Errorf("got %q", message)
	}
}

// A secret shows in nothing that prints a configuration.
func TestSecretsAreHidden(t *testing.T) {
	c, message := parse(smallest)
	if message != "" {
		t.Fatal(message)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&out, verb+"\n", c)
		fmt.Fprintf(&out, verb+"\n", c.Pipelines[0].Producer.Token)
	}
	if err := json.NewEncoder(&out).Encode(c); err != nil {
		t.Fatal(err)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("loaded", "config", c, "token", c.Pipelines[0].Producer.Token)
	}
	if strings.Contains(out.String(), secretText) || strings.Contains(out.String(), fmt.Sprintf("%x", secretText)) {
		t.Errorf("the token shows in:\n%s", out.String())
	}
	if !strings.Contains(out.String(), "[redacted]") {
		t.Error("nothing says that something is hidden")
	}
}

// The repo's example is a file without a fault, and shows every key.
func TestExample(t *testing.T) {
	text, err := os.ReadFile("../../relayhost.toml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tokens := filepath.Join(dir, "eventrelay-data", "tokens")
	for file, content := range map[string]string{
		"users.consumer": secretText + "\n", "users.destination": "6b0a4f3e-8f0c-4c1d-9a55-0d6f3a1e2b7c\n",
	} {
		if err := os.MkdirAll(tokens, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tokens, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := config.Parse(filepath.Join(dir, "relayhost.toml"), text); err != nil {
		t.Error(err)
	}
	for _, key := range config.KeyNames() {
		if key != "<name>" && !strings.Contains(string(text), key) {
			t.Errorf("the example does not show %s", key)
		}
	}
}

func TestReference(t *testing.T) { golden(t, "../../docs/config.md", config.Reference()) }
