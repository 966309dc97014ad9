// Command bench measures relayhost beside what one would pick instead, prints a table
// of it, and writes results.json and plots into a folder.
//
//	go run . -out ../docs/performance           what make bench does
//	go run . -short                             each once and briefly, for CI
//	go run . -only call,flow                    some parts: call, flow, growth, served, memory
//
// docs/performance/README.md says what is measured and how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/relayhost/relayhost/host/heap"
)

// bench is a run.
type bench struct {
	root    string // of the repository
	rounds  int
	turn    time.Duration // of a call's side
	length  time.Duration // of a pipeline's turn
	events  int           // that are published for a pipeline behind a server
	idle    int           // pipelines
	soak    time.Duration
	results results
}

// parts are what a run is made of, in order.
var parts = []struct {
	name    string
	measure func(*bench, context.Context) error
}{
	{"call", (*bench).calls}, {"flow", (*bench).flows}, {"growth", (*bench).growth},
	{"served", (*bench).served}, {"memory", (*bench).memory},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	heap.Keep(heap.Least) // as the binary does
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to be deferred
	}
}

func run(ctx context.Context) (err error) {
	b := bench{rounds: 15, turn: 20 * time.Millisecond, length: 2 * time.Second, events: 500_000, idle: 1000}
	short := flag.Bool("short", false, "measure each once and briefly: to see that it runs")
	only := flag.String("only", "", "measure these parts only, with commas between them")
	out := flag.String("out", "", "write results.json and the plots into this folder")
	flag.StringVar(&b.root, "root", "..", "the repository's folder")
	flag.DurationVar(&b.soak, "soak", time.Minute, "how long the memory is watched under full load")
	from := flag.String("from", "", "take this results.json instead of measuring: to draw the plots anew")
	flag.Parse()
	if *short {
		b.rounds, b.turn, b.length, b.events, b.idle, b.soak = 1, time.Millisecond, 100*time.Millisecond, 2000, 10, time.Second
	}
	if *from != "" {
		return errors.Join(b.results.read(*from), b.results.write(*out))
	}
	b.results.start()
	for _, part := range parts {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), part.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, "bench:", part.name)
		if err := part.measure(&b, ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	err = b.results.table(os.Stdout)
	if *out != "" {
		err = errors.Join(err, b.results.write(*out))
	}
	return err
}
