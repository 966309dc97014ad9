package plugin

import (
	"strconv"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/relayhost/relayhost/host/plugin/meter"
)

// image is the state of an instance that is put back before each call: its
// memory, copied page by page only where a call writes to it, and its globals.
// What else a module may have, Engine.Load has looked at.
type image struct {
	memory  *linearMemory
	globals []savedGlobal
	size    uint32        // of the memory, in bytes
	moved   time.Duration // of the world's clock
}

type savedGlobal struct {
	global api.MutableGlobal
	value  uint64
}

// newImage takes the state of an instance with so many mutable globals. It
// returns nil if the machine does not let it.
func newImage(in *instance, memory *linearMemory, globals int) *image {
	if memory == nil || !memory.freeze() {
		return nil
	}
	im := &image{memory: memory, size: in.memory.Size(), moved: in.world.moved}
	for i := range globals {
		im.save(in.module.ExportedGlobal(meter.ExportGlobal + strconv.Itoa(i)))
	}
	im.save(in.module.ExportedGlobal(meter.ExportDenied))
	return im
}

func (im *image) save(g api.Global) {
	global := g.(api.MutableGlobal) //nolint:forcetypeassert // the meter has made it so
	im.globals = append(im.globals, savedGlobal{global, global.Get()})
}

// restore puts the state back. It reports whether it could: a memory that has
// grown cannot shrink.
func (im *image) restore(module api.Module) bool {
	if module.Memory().Size() != im.size || !im.memory.restore() {
		return false
	}
	for _, g := range im.globals {
		g.global.Set(g.value)
	}
	return true
}
