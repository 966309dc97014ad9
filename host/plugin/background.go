package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/relayhost/relayhost/host/plugin/meter"
)

// The environment of a process that compiles.
const (
	envCompile = "RELAYHOST_COMPILE"       // the cache's directory
	envMeter   = "RELAYHOST_COMPILE_METER" // the meter's limits, in JSON
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

// precompiles returns the directory of the cache that another process can compile
// into, if there can be one.
func (e *Engine) precompiles() (dir string, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.compiler == nil || e.cache == nil {
		return "", false
	}
	return e.cache.parent, true
}

// precompile has another process meter a module and put its code into the cache,
// which leaves this one's garbage collector alone and gives way to it. It returns
// the metered module. The error is for what the module is to blame for: where the
// other process fails there is neither, and the module is compiled here.
func (e *Engine) precompile(ctx context.Context, dir string, file []byte, l meter.Limits, limit time.Duration, busy func() bool) ([]byte, error) {
	meterLimits, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, patience*limit)
	defer cancel()
	command := e.compiler(limited)
	// Nothing else: a module that gets the better of the compiler finds no secrets.
	command.Env = []string{envCompile + "=" + dir, envLimit + "=" + limit.String(), envMeter + "=" + string(meterLimits)}
	if busy() {
		command.Env = append(command.Env, "GOMAXPROCS=1") // the other processors are the events'
	}
	command.Stdin = bytes.NewReader(file)
	var metered, said bytes.Buffer
	metered.Grow(2 * len(file))
	command.Stdout, command.Stderr = &metered, &said
	// The system ends the process with the thread that began it, if that can be: one
	// that stands still would outlive a host that was killed.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	command.SysProcAttr = bound()
	if err = command.Start(); err == nil {
		c := begin(command.Process, busy)
		err = command.Wait()
		c.end()
	}
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return metered.Bytes(), nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil: // it hardly got a processor, which is not the module's fault
		err = limited.Err()
	case ended && outOfTime(exit):
		return nil, fmt.Errorf("it does not compile within %v", limit)
	case ended && exit.ExitCode() == statusUncompilable:
		return nil, errors.New(printable(said.String(), maxReason))
	}
	e.log.Warn("a plugin is compiled in this process, which slows its events down", "error", err)
	return nil, nil
}

// CompileChild ends the process after compiling, if it is one that was started for
// that; otherwise it does nothing. It is to be called before anything else.
func CompileChild() {
	if dir := os.Getenv(envCompile); dir != "" {
		os.Exit(compileChild(dir, os.Stdin, os.Stdout, os.Stderr))
	}
}

func compileChild(dir string, in io.Reader, out, said io.Writer) int {
	limit, err := time.ParseDuration(os.Getenv(envLimit))
	if err == nil && os.Getenv(envPolite) == "" {
		err = politely(limit)
	}
	var l meter.Limits
	err = errors.Join(err, json.Unmarshal([]byte(os.Getenv(envMeter)), &l))
	file, readErr := io.ReadAll(in)
	if err = errors.Join(err, readErr); err != nil {
		_, _ = fmt.Fprintln(said, err)
		return 1
	}
	metered, err := meter.Rewrite(file, l)
	if err != nil {
		_, _ = fmt.Fprint(said, unmetered(err))
		return statusUncompilable
	}
	if status := compileInto(dir, metered, patience*limit, said); status != 0 {
		return status
	}
	if _, err := out.Write(metered); err != nil {
		_, _ = fmt.Fprintln(said, err)
		return 1
	}
	return 0
}

// compileInto puts a module's code into the cache.
func compileInto(dir string, metered []byte, limit time.Duration, said io.Writer) int {
	ctx := context.Background()
	engine, err := Open(ctx, Options{CacheDir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		_, _ = fmt.Fprintln(said, err)
		return 1
	}
	_, err = engine.compile(ctx, metered, limit)
	if err = errors.Join(err, engine.Close(ctx)); err != nil {
		_, _ = fmt.Fprint(said, uncompiled(err))
		return statusUncompilable
	}
	return 0
}
