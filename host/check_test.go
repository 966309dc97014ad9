package host_test

import (
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
