package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"sync"

	"github.com/tetratelabs/wazero"

	"github.com/relayhost/relayhost/host/plugin/meter"
)

// Options configures an [Engine]. The zero value is valid.
type Options struct {
	// CacheDir is where compiled modules are kept from one run to the next, in
	// a private subdirectory. An unusable directory is one warning, no error.
	// Defaults to none: every module is compiled anew.
	CacheDir string
	// Compiler makes the command of a process that calls [CompileChild] at once,
	// for modules that are loaded in the background; it wants a CacheDir. Defaults
	// to none: they are compiled in this process, with all of its processors.
	Compiler func(ctx context.Context) *exec.Cmd
	// Logger takes the plugins' log lines and the engine's own.
	// Defaults to slog.Default().
	Logger *slog.Logger
}

// Engine compiles and runs plugins. Its methods are safe for concurrent use.
type Engine struct {
	log      *slog.Logger
	compiler func(ctx context.Context) *exec.Cmd
	shelf    shelf

	mu      sync.Mutex // held while compiling
	runtime wazero.Runtime
	cache   *diskCache // nil if runtime has none
	closers []func(context.Context) error
}

// Open starts an engine. It fails only if wazero does not run on this machine.
func Open(ctx context.Context, o Options) (*Engine, error) {
	e := &Engine{log: cmp.Or(o.Logger, slog.Default()), compiler: o.Compiler}
	if o.CacheDir != "" {
		e.openCache(o.CacheDir)
	}
	runtime, err := e.newRuntime(ctx, e.cache)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start engine: %w", err), e.Close(ctx))
	}
	e.runtime = runtime
	return e, nil
}

func (e *Engine) openCache(dir string) {
	cache, err := openCache(dir)
	if err != nil {
		e.log.Warn("going on without a compilation cache", "dir", dir, "error", err)
		return
	}
	e.cache = cache
	e.closers = append(e.closers, cache.close)
}

// newRuntime makes a runtime with the host's imports, to be closed by Close.
// CloseOnContextDone stays off: it makes guests many times slower, and does not
// stop all of them. What memory an instance may have is in the metered module.
func (e *Engine) newRuntime(ctx context.Context, cache *diskCache) (wazero.Runtime, error) {
	config := wazero.NewRuntimeConfigCompiler().
		WithDebugInfoEnabled(false) // a hostile module's DWARF is not worth parsing
	if cache != nil {
		config = config.WithCompilationCache(cache.wazero)
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, config)
	e.closers = append(e.closers, runtime.Close)
	return runtime, errors.Join(defineImports(ctx, runtime), meter.Import(ctx, runtime))
}

// Close ends the engine and whatever still lives in it; no call may be
// running. Close the plugins first.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for len(e.closers) > 0 {
		last := len(e.closers) - 1
		errs = append(errs, e.closers[last](ctx))
		e.closers = e.closers[:last]
	}
	e.runtime = nil
	return errors.Join(errs...)
}
