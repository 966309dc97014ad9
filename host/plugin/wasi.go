package plugin

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// wasiSizes are the functions of WASI that work for as long as one of their
// parameters says, by the parameter's position, and the most that it may be:
// as a call cannot be ended while the host runs, no call may last.
var wasiSizes = map[string]struct {
	param int
	most  uint32
}{
	"fd_read": {2, maxPieces}, "fd_write": {2, maxPieces},
	"fd_pread": {2, maxPieces}, "fd_pwrite": {2, maxPieces},
	"poll_oneoff":           {2, maxPieces},
	"path_create_directory": {2, maxPath}, "path_filestat_get": {3, maxPath},
	"path_filestat_set_times": {3, maxPath}, "path_link": {3, maxPath},
	"path_open": {3, maxPath}, "path_readlink": {2, maxPath},
	"path_remove_directory": {2, maxPath}, "path_rename": {2, maxPath},
	"path_symlink": {1, maxPath}, "path_unlink_file": {2, maxPath},
}

const (
	// maxPieces is how many buffers or subscriptions a call may name.
	maxPieces = 1024
	// maxPath is how long a path may be, in bytes.
	maxPath = 4096
)

// bounded listens to the calls of wasiSizes.
type bounded struct{}

func (bounded) NewFunctionListener(def api.FunctionDefinition) experimental.FunctionListener {
	size, ok := wasiSizes[def.Name()]
	if !ok {
		return nil
	}
	name := def.Name()
	return experimental.FunctionListenerFunc(
		func(ctx context.Context, _ api.Module, _ api.FunctionDefinition, params []uint64, _ experimental.StackIterator) {
			n := api.DecodeU32(params[size.param])
			if n > size.most {
				panic(fmt.Errorf("%s of %d, and the limit is %d", name, n, size.most))
			}
			if log, ok := ctx.Value(guestLogKey{}).(*guestLog); ok {
				log.gauge.Charge(uint64(n) * pieceCost)
			}
		})
}

// pieceCost is what a piece costs the guest, in units of fuel.
const pieceCost = 100
