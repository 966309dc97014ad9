package plugin

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
)

// ErrClosed is the error of an engine that was closed.
var ErrClosed = errors.New("plugin engine is closed")

// compiled is machine code, and the runtime that can run it.
type compiled struct {
	wazero.CompiledModule
	runtime wazero.Runtime
}

// compile compiles one module at a time. If that fails with the cache but not
// without it, the cache is to blame and dropped.
func (e *Engine) compile(ctx context.Context, file []byte, limit time.Duration) (*compiled, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// wazero looks at the context only where there is more than one worker.
	ctx = experimental.WithCompilationWorkers(ctx, max(2, runtime.GOMAXPROCS(0)))
	if e.runtime == nil {
		return nil, ErrClosed
	}
	if e.cache == nil {
		return compileWith(ctx, e.runtime, file)
	}
	code, cacheErr := e.compileCached(ctx, file)
	if cacheErr == nil || ctx.Err() != nil {
		return code, cacheErr
	}
	fresh, err := e.newRuntime(ctx, nil)
	if err != nil {
		return nil, err
	}
	code, err = compileWith(ctx, fresh, file)
	if err != nil {
		e.closers = e.closers[:len(e.closers)-1]
		return nil, errors.Join(err, fresh.Close(ctx))
	}
	e.log.Warn("going on without the compilation cache", "dir", e.cache.dir, "error", cacheErr)
	e.runtime, e.cache = fresh, nil
	return code, nil
}

func (e *Engine) compileCached(ctx context.Context, file []byte) (*compiled, error) {
	removed, err := e.cache.purge()
	if err != nil {
		return nil, err
	}
	if removed > 0 {
		e.log.Warn("damaged entries removed from the compilation cache", "dir", e.cache.dir, "entries", removed)
	}
	code, err := compileWith(ctx, e.runtime, file)
	if err == nil {
		e.cache.seal()
	}
	return code, err
}

func compileWith(ctx context.Context, runtime wazero.Runtime, file []byte) (*compiled, error) {
	code := &compiled{runtime: runtime}
	err := guard(func() (err error) {
		code.CompiledModule, err = runtime.CompileModule(ctx, file)
		return err
	})
	if err != nil {
		return nil, err
	}
	return code, nil
}

// guard makes an error of a panic, for the parts of wazero that work on what a
// module says: a bug there must not cost more than that module.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the engine panicked: %v", r)
		}
	}()
	return f()
}
