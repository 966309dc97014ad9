// Package plugin runs WebAssembly modules as message handlers, on wazero. An
// [Engine] from [Open] loads a module with [Engine.Load]; the [Plugin] makes a
// [Slot] for each processor and batcher; a slot handles messages. abi/SPEC.md is
// the contract with the module.
//
// # A module's life
//
// Load verifies the file statically ([Verify]), rewrites it so that it is
// metered (package meter), compiles it, and makes the first instance, so that
// whatever fails at the start fails at load, with a [*Refusal]. A slot keeps
// one instance from call to call, and replaces it when it failed.
//
// # What a module may do
//
// Compute, log, sleep, and ask for time and random bytes, which are what
// [Settings] says. There are no files, environment, arguments or sockets behind
// WASI. [Limits] bound what a module may be made of and what each call may use;
// what goes beyond ends the call and the instance.
//
// # What a call costs
//
// Nothing is looked up, started or allocated for a call, save what a message
// keeps: its new data and the names that route it.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/relayhost/relayhost/host/plugin/meter"
)

// Settings is what a pipeline says about its plugin.
type Settings struct {
	// Pipeline is the pipeline's name.
	Pipeline string
	// Config is the plugin's config table as JSON text, an object; the module's
	// configure gets it. Defaults to "{}".
	Config string
	// NeedBatch: the pipeline has batchers, so handle_batch is required.
	NeedBatch bool
	// Limits bound the module and each call.
	Limits Limits
	// Clock defaults to ClockReal, Random to RandomReal, State to StateReuse.
	Clock  Clock
	Random Random
	State  State
	// Background reports whether events flow, and loading leaves them the machine.
	// Nil: nothing is to be disturbed.
	Background func() bool
	// Progress is told as each stage of loading begins: "verify", "meter",
	// "compile", "start". Defaults to nobody.
	Progress func(stage string)
}

func (s *Settings) tell(stage string) {
	if s.Progress != nil {
		s.Progress(stage)
	}
}

// Plugin is a module that was loaded for a pipeline.
type Plugin struct {
	name     string
	digest   string
	engine   *Engine
	settings Settings
	code     *sharedCode
	log      *slog.Logger
	breaker  *breaker
	restore  bool // instances are put back to their first state
	globals  int  // the module's mutable globals, if so
	prepares bool // it exports prepare_messages
	fails    bool // it exports handle_failed

	mu    sync.Mutex
	first *Slot              // with the instance that Load made, until NewSlot takes it
	slots map[*Slot]struct{} // made and not closed
	past  Usage              // of slots that were closed
	gone  sync.Once
	last  int // the last slot's number
}

// CloseError says that teardown failed.
type CloseError struct {
	Plugin, Reason string
}

func (e *CloseError) Error() string { return "close plugin " + e.Plugin + ": " + e.Reason }

// Load makes a plugin of a module; name is what logs and errors call it. The
// error is a [*Refusal] if the module is to blame. The file is not kept.
func (e *Engine) Load(ctx context.Context, name string, file []byte, settings Settings) (*Plugin, error) {
	settings.tell("verify")
	if err := Verify(name, file, Requirements{Batch: settings.NeedBatch, Limits: settings.Limits}); err != nil {
		return nil, err
	}
	p := &Plugin{
		name: name, digest: Digest(file), engine: e, settings: settings,
		slots: make(map[*Slot]struct{}), past: Usage{Discarded: make(map[string]int64)},
	}
	p.settings.Limits = settings.Limits.WithDefaults()
	if p.settings.Config == "" {
		p.settings.Config = "{}"
	}
	p.log = e.log.With("pipeline", settings.Pipeline, "plugin", name, "digest", p.digest[:12])
	p.breaker = newBreaker(p.log, p.settings.Limits.Failures)
	if err := p.compile(ctx, file); err != nil {
		return nil, err
	}
	p.findCalls()
	p.settings.tell("start")
	if f := p.start(ctx); f != nil {
		return nil, errors.Join(p.refuse(f.reason), p.code.Close(ctx))
	}
	return p, nil
}

// compile has the module metered and compiled.
func (p *Plugin) compile(ctx context.Context, file []byte) error {
	limits := &p.settings.Limits
	if err := p.inspect(file); err != nil {
		return p.unmetered(err)
	}
	p.settings.tell("meter")
	meterLimits := limits.meter()
	meterLimits.ExportGlobals = p.restore
	edition := edition{p.digest, meterLimits}
	if p.code = p.engine.shelf.take(edition); p.code != nil {
		return nil
	}
	metered, err := p.meter(ctx, file, meterLimits)
	if err != nil {
		return err
	}
	code, err := p.engine.compile(ctx, metered, limits.Module.CompileTime)
	switch {
	case err == nil:
		p.code = p.engine.shelf.put(edition, code)
		return nil
	case errors.Is(err, ErrClosed):
		return err
	case ctx.Err() != nil: // the module is not to blame
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return p.refuse(fmt.Sprintf("it does not compile within %v", limits.Module.CompileTime))
	}
	return p.refuse(uncompiled(err))
}

// meter has the module metered, and says that it is to be compiled: in the
// background another process does both.
func (p *Plugin) meter(ctx context.Context, file []byte, l meter.Limits) ([]byte, error) {
	if dir, ok := p.engine.precompiles(); ok && p.settings.Background != nil {
		p.settings.tell("compile")
		metered, err := p.engine.precompile(ctx, dir, file, l, p.settings.Limits.Module.CompileTime, p.settings.Background)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, p.refuse(err.Error())
		case metered != nil:
			return metered, nil
		}
	}
	metered, err := meter.Rewrite(file, l)
	if err != nil {
		return nil, p.unmetered(err)
	}
	p.settings.tell("compile")
	return metered, nil
}

// inspect finds out whether an instance can be put back, if that is wanted.
func (p *Plugin) inspect(file []byte) error {
	if p.settings.State != StateMessage {
		return nil
	}
	info, err := meter.Inspect(file)
	if err != nil {
		return err
	}
	p.restore, p.globals = info.Restorable(), info.Globals
	if !p.restore {
		p.log.Warn("every call needs a new instance, since its state cannot be put back", "why", info.Why)
	}
	return nil
}

func (p *Plugin) unmetered(err error) *Refusal { return p.refuse(unmetered(err)) }

func unmetered(err error) string { return "it cannot be metered: " + printable(err.Error(), maxReason) }

func uncompiled(err error) string { return "it does not compile: " + printable(err.Error(), maxReason) }

func (p *Plugin) refuse(problem string) *Refusal {
	return &Refusal{Plugin: p.name, Digest: p.digest, Problems: []string{problem}}
}

// start makes the first slot, so that a module that cannot start is found out.
func (p *Plugin) start(ctx context.Context) *fault {
	slot, f := p.newSlot(ctx)
	p.first = slot
	return f
}

// Name is the name that the plugin was loaded under.
func (p *Plugin) Name() string { return p.name }

// Digest is the SHA-256 of the module's file, in hex.
func (p *Plugin) Digest() string { return p.digest }

// Exports reports whether the module exports a function of that name, for what
// a plugin may do or leave: prepare_messages and handle_failed.
func (p *Plugin) Exports(name string) bool {
	_, ok := p.code.ExportedFunctions()[name]
	return ok
}

// NewSlot makes a slot with an instance of its own. Of ctx only the values are
// used, also by later instances.
func (p *Plugin) NewSlot(ctx context.Context) (*Slot, error) {
	if slot := p.takeFirst(); slot != nil {
		return slot, nil
	}
	slot, f := p.newSlot(ctx)
	if f != nil {
		return nil, fmt.Errorf("start plugin %s: %s", p.name, f.reason)
	}
	return slot, nil
}

func (p *Plugin) takeFirst() *Slot {
	p.mu.Lock()
	defer p.mu.Unlock()
	slot := p.first
	p.first = nil
	return slot
}

func (p *Plugin) newSlot(ctx context.Context) (*Slot, *fault) {
	s := p.dozingSlot(ctx)
	instance, f := s.newInstance()
	if f != nil {
		p.release(s)
		s.limit.report(s.logger)
		return nil, f
	}
	s.instance = instance
	return s, nil
}

// dozingSlot makes a slot whose instance is made when it has something to do.
func (p *Plugin) dozingSlot(ctx context.Context) *Slot {
	s := &Slot{plugin: p, ctx: context.WithoutCancel(ctx), limit: newLogLimit(&p.settings.Limits), stop: make(chan struct{}), relief: make(chan struct{})}
	s.logger = p.log.With("slot", p.add(s))
	return s
}

// add takes a slot in and returns its number.
func (p *Plugin) add(s *Slot) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slots[s] = struct{}{}
	p.last++
	return p.last
}

func (p *Plugin) release(s *Slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, open := p.slots[s]; open {
		s.usage.addTo(&p.past)
		delete(p.slots, s)
	}
}

func (p *Plugin) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.slots)
}

// Close gives the plugin's code back. Its slots must have been closed; if one
// is open, Close does nothing but return an error.
func (p *Plugin) Close(ctx context.Context) error {
	var err error
	if first := p.takeFirst(); first != nil {
		err = first.Close(ctx)
	}
	if n := p.open(); n > 0 {
		return fmt.Errorf("close plugin %s: %d of its slots are open", p.name, n)
	}
	p.gone.Do(func() { err = errors.Join(err, p.code.Close(ctx)) }) // others may use it
	return err
}
