package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"time"
)

// The environment of a process that compiles.
const (
	envCompile = "RELAYHOST_COMPILE"       // the cache's directory
	envLimit   = "RELAYHOST_COMPILE_LIMIT" // how long it may take, undisturbed
	envPolite  = "RELAYHOST_COMPILE_POLITE"
)

// statusUncompilable is the exit status for a module that is to blame.
const statusUncompilable = 3

// patience is how many times longer than undisturbed a process may take that
// gives way to everybody.
const patience = 20

// Compiler is an [Options.Compiler] for programs whose main calls [CompileChild]
// first.
func Compiler(ctx context.Context) *exec.Cmd {
	return exec.CommandContext(ctx, self()) //nolint:gosec // ourselves
}

// self is this program's file, also if another has taken its place.
func self() string {
	const linux = "/proc/self/exe"
	if _, err := os.Stat(linux); err == nil {
		return linux
	}
	file, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return file
}

// precompile has another process put a module's code into the cache, which leaves
// this one's garbage collector alone and gives way to it. The error is for what
// the module is to blame for: where there can be no such process, there is none,
// and the module is compiled here.
func (e *Engine) precompile(ctx context.Context, file []byte, limit time.Duration) error {
	if e.compiler == nil || e.cache == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, patience*limit)
	defer cancel()
	command := e.compiler(limited)
	command.Env = append(os.Environ(), envCompile+"="+e.cache.parent, envLimit+"="+limit.String())
	command.Stdin = bytes.NewReader(file)
	var said bytes.Buffer
	command.Stderr = &said
	err := command.Run()
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil, ctx.Err() != nil:
		return nil
	case limited.Err() != nil, ended && outOfTime(exit):
		return fmt.Errorf("it does not compile within %v", limit)
	case ended && exit.ExitCode() == statusUncompilable:
		return fmt.Errorf("it does not compile: %s", printable(said.String(), maxReason))
	}
	e.log.Warn("a plugin is compiled in this process, which slows its events down", "error", err)
	return nil
}

// CompileChild ends the process after compiling, if it is one that was started for
// that; otherwise it does nothing. It is to be called before anything else.
func CompileChild() {
	if dir := os.Getenv(envCompile); dir != "" {
		os.Exit(compileChild(dir, os.Stdin, os.Stderr))
	}
}

func compileChild(dir string, in io.Reader, out io.Writer) int {
	limit, err := time.ParseDuration(os.Getenv(envLimit))
	if err == nil && os.Getenv(envPolite) == "" {
		err = politely(limit)
	}
	if err != nil {
		_, _ = fmt.Fprintln(out, err)
		return 1
	}
	ctx := context.Background()
	file, err := io.ReadAll(in)
	if err != nil {
		_, _ = fmt.Fprintln(out, err)
		return 1
	}
	engine, err := Open(ctx, Options{CacheDir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		_, _ = fmt.Fprintln(out, err)
		return 1
	}
	_, err = engine.compile(ctx, file, patience*limit)
	if err = errors.Join(err, engine.Close(ctx)); err != nil {
		_, _ = fmt.Fprint(out, err)
		return statusUncompilable
	}
	return 0
}
