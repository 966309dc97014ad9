package telemetry_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/telemetry"
)

var update = flag.Bool("update", false, "write docs/metrics.md's table anew")

// docs/metrics.md lists each metric that is there, and no other, as it is.
func TestDocs(t *testing.T) {
	const file = "../../docs/metrics.md"
	text, err := os.ReadFile(file)
	must(t, err)
	const begin, end = "| metric |", "\n\n"
	before, rest, found := strings.Cut(string(text), begin)
	if !found {
		t.Fatalf("%s has no table", file)
	}
	_, after, _ := strings.Cut(rest, end)
	want := before + table(complete(t)) + end[1:] + after
	if *update {
		must(t, os.WriteFile(file, []byte(want), 0o600))
		return
	}
	if string(text) != want {
		t.Errorf("%s is not current: go test ./host/telemetry -run Docs -update\nwant the table\n%s", file, table(complete(t)))
	}
}

// complete has every metric, with every label.
func complete(t *testing.T) families {
	t.Helper()
	metrics := telemetry.New()
	o := metrics.Observer("users", "default")
	o.Retrying(&message.Message{}, message.Outcome{}, 0) // of some version
	metrics.Watch("users", func() telemetry.State {
		return telemetry.State{
			Waiting: map[string]int{"default": 1}, Lag: new(int64), Kept: &telemetry.Kept{},
			Versions: []telemetry.Version{{State: "live"}}, Stage: "compile",
		}
	})
	metrics.WatchJournal(func() telemetry.Journal { return telemetry.Journal{} })
	return serve(t, metrics).scrape()
}

func table(f families) string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | unit | meaning |\n|---|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(f)) {
		family := f[name]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n",
			name, strings.ToLower(family.GetType().String()), labels(family), unit(name), family.GetHelp())
	}
	return b.String()
}

func labels(f *dto.MetricFamily) string {
	var names []string
	for _, l := range f.GetMetric()[0].GetLabel() {
		names = append(names, "`"+l.GetName()+"`")
	}
	return strings.Join(names, ", ")
}

// unit is what a metric's name says it is in.
func unit(name string) string {
	for _, u := range []string{"seconds", "bytes", "partitions", "halts", "batches", "calls", "ready", "fuel", "instances_discarded", "info", "stage", "rollouts", "events", "letters"} {
		if strings.HasSuffix(strings.TrimSuffix(name, "_total"), "_"+u) {
			switch u {
			case "ready":
				return "1 or 0"
			case "info", "stage":
				return "1"
			case "rollouts":
				return "versions"
			case "fuel":
				return "units of fuel"
			case "instances_discarded":
				return "instances"
			}
			return u
		}
	}
	return "messages"
}

// Names and types are as Prometheus wants them.
func TestConventions(t *testing.T) {
	all := slices.Collect(maps.Values(complete(t)))
	problems, err := promlint.NewWithMetricFamilies(all).Lint()
	must(t, err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
