package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
)

// check warns of metrics that are for everyone.
func TestCheckWarnsOfExposedMetrics(t *testing.T) {
	for listen, want := range map[string]int{
		"": 0, "127.0.0.1:9464": 0, "[::1]:9464": 0, "localhost:0": 0, "[::ffff:127.0.0.2]:1": 0,
		"0.0.0.0:9464": 1, "[::]:9464": 1, "192.0.2.1:9464": 1, "metrics.example:9464": 1,
	} {
		c := &config.Config{CacheDir: cacheDir, Metrics: config.Metrics{Listen: listen}}
		warnings, err := host.Check(t.Context(), c, host.Options{})
		if err != nil || len(warnings) != want {
			t.Errorf("%q: %v, %v", listen, warnings, err)
		}
	}
}

// The metrics are where the configuration says.
func TestMetricsOfTheConfiguration(t *testing.T) {
	s := newSite(t)
	c := s.config(batches)
	c.Metrics.Listen = "127.0.0.1:0"
	h, err := host.New(t.Context(), c, host.Options{})
	must(t, err)
	if h.MetricsAddr() == nil {
		t.Error("there are no metrics")
	}
	must(t, h.Close(t.Context()))
}

// The journal's folder must be one that can be written to, or made; check leaves
// nothing behind.
func TestCheckLooksAtTheJournal(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	for at, want := range map[string]string{
		filepath.Join(dir, "a", "b"): "",
		dir:                          "",
		filepath.Join(file, "a"):     "journal: nothing can be written to " + filepath.Join(file, "a"),
	} {
		c := &config.Config{CacheDir: cacheDir, Journal: config.Journal{Enabled: true, Dir: at}}
		_, err := host.Check(t.Context(), c, host.Options{})
		if text := fmt.Sprint(err); err == nil != (want == "") || !strings.Contains(text, want) || err != nil && !strings.Contains(text, "\nhint: ") {
			t.Errorf("%s: %v, want %q", at, err, want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("there is %v, %v", left, err)
	}
}
