// Command relayhost pulls events from EventRelay and runs the handlers that are
// in WebAssembly modules on them.
//
//	relayhost demo          see it work, with nothing installed
//	relayhost run           run the pipelines of relayhost.toml
//	relayhost check         find every fault of a configuration
//	relayhost status        show how the running host is
//	relayhost deadletters   see what was given up, and try it again
//	relayhost journal       check what is kept on disk
//	relayhost plugin        look into a plugin, try it on events, or swap it
//	relayhost bench         measure how fast a plugin is in its pipeline
//	relayhost dev           build a plugin and run it on events, again at each save
//	relayhost reload        have the running host read its configuration again
//	relayhost resume        have a halted partition go on
//	relayhost replay        run a plugin on events of the log again
//	relayhost publish       send events to an EventRelay server
//	relayhost eventrelay    run an EventRelay-compatible server
//	relayhost version       print the version
//
// It exits with status 0 when it has done what it was told, 1 when it could
// not, 2 when it was told nonsense, and 3 when it was asked about a host and none
// runs. What it has to say goes to standard error; standard output has the output
// of pipelines, or what was asked for.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/heap"
	"github.com/relayhost/relayhost/host/plugin"
)

// Exit statuses.
const (
	statusOK     = 0
	statusFailed = 1
	statusUsage  = 2
	statusNoHost = 3
)

// app is the command line.
type app struct {
	Log logFlags `embed:"" prefix:"log-"`

	Demo        demoCommand        `cmd:"" help:"Run the guide's example from end to end: server, events, plugin, output."`
	Run         runCommand         `cmd:"" help:"Run the pipelines of a configuration until told to stop."`
	Check       checkCommand       `cmd:"" help:"Find every fault of a configuration, its certificates and its plugins."`
	Plugin      pluginCommand      `cmd:"" help:"Look into a plugin, try it on events, or swap it in the running host."`
	Bench       benchCommand       `cmd:"" help:"Measure how fast a plugin is in its pipeline, with no server."`
	Dev         devCommand         `cmd:"" help:"Build a plugin from its source and run it on events, again whenever it is saved."`
	Status      statusCommand      `cmd:"" help:"Show how the running host is, and whether its books balance."`
	Reload      reloadCommand      `cmd:"" help:"Have the running host read its configuration again."`
	Resume      resumeCommand      `cmd:"" help:"Have a partition go on that a failure has halted."`
	Deadletters deadLettersCommand `cmd:"" help:"See what was given up, try it again, or take it away."`
	Journal     journalCommand     `cmd:"" help:"Check what is kept on disk."`
	Replay      replayCommand      `cmd:"" help:"Run events of the log through a plugin again, or through two to compare them."`
	Publish     publishCommand     `cmd:"" help:"Publish events to an EventRelay server."`
	Eventrelay  eventrelayCommand  `cmd:"" help:"Run an EventRelay-compatible server, in memory or on disk."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

// process is what a command gets from its process.
type process struct {
	in       io.Reader
	out, err io.Writer
	log      *slog.Logger
}

func main() {
	plugin.CompileChild()
	heap.Keep(heap.Least)
	os.Exit(run(os.Args[1:], process{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// run is main without the process: it returns the exit status. A first SIGINT
// or SIGTERM ends the context; a second one ends the process.
func run(args []string, p process) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	if len(args) == 0 {
		args = []string{"--help"}
	}
	var a app
	exit := -1
	parser, err := kong.New(&a,
		kong.Name("relayhost"),
		kong.Description("Pulls events from EventRelay and runs WebAssembly handlers on them."),
		kong.Writers(p.out, p.err),
		kong.Exit(func(status int) { exit = status }),
		kong.Vars{"faults": faultKinds()},
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		return fail(p, err)
	}
	command, err := parser.Parse(args)
	switch {
	case exit >= 0: // --help has been answered
		return exit
	case err != nil:
		return misused(p, err)
	}
	p.log = a.Log.logger(p.err)
	if err := command.Run(&p); err != nil {
		return fail(p, err)
	}
	return statusOK
}

func misused(p process, err error) int {
	_, _ = fmt.Fprintf(p.err, "relayhost: error: %v\nhint: `relayhost --help` lists the commands and their flags\n", err)
	return statusUsage
}

// fail prints an error and all that it joins, each on lines of its own.
func fail(p process, err error) int {
	for _, e := range flatten(err) {
		_, _ = fmt.Fprintf(p.err, "relayhost: error: %v\n", e)
	}
	if _, usage := errors.AsType[usageError](err); usage {
		return statusUsage
	}
	if errors.Is(err, control.ErrNoHost) {
		return statusNoHost
	}
	return statusFailed
}

// flatten takes joined errors apart.
func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // only the outermost is taken apart
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

// usageError is an error in what the user asked for, found after parsing.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

// logFlags say how much is logged and in which form.
type logFlags struct {
	Level  slog.Level `default:"info" help:"Log what is at least so grave: debug, info, warn, error."`
	Format string     `default:"text" enum:"text,json" help:"Log in this form: ${enum}."`
}

func (f logFlags) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: f.Level}
	if strings.EqualFold(f.Format, "json") {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
