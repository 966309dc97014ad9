package meter

import "github.com/relayhost/relayhost/host/plugin/wasm"

// What the engine's compiler takes for a function grows with the square of some
// of its counts: 40,000 blocks in 300 KB take 15 s, 9,000 loops within loops in
// 30 KB 10 s, and 1,000 locals around 1,000 loops in 16 KB a gigabyte. So these
// are bounded, far above what compilers make, and a function takes a few seconds
// at worst.
const (
	// maxBlocks bounds a function's basic blocks and the targets of its branch
	// tables together. The largest of Go's own have 3,000.
	maxBlocks = 20_000
	// maxLoops bounds a function's loops, and maxLoopDepth those within others.
	maxLoops, maxLoopDepth = 2000, 200
	// maxLoopLocals bounds a function's loops times its locals.
	maxLoopLocals = 200_000
	// maxAllLocals bounds the locals of all functions together, for each of
	// which the engine makes room.
	maxAllLocals = 2_000_000
	// maxParams and maxResults bound a function type, which a few bytes can
	// refer to.
	maxParams, maxResults = 1000, 100
)

// compilable refuses a function that would keep the compiler busy.
func (a *analysis) compilable(locals uint64) error {
	loops := uint64(len(a.loops))
	switch {
	case len(a.charges)+a.targets > maxBlocks:
		return refuse("it has %d blocks and branch targets, and the limit is %d", len(a.charges)+a.targets, maxBlocks)
	case loops > maxLoops:
		return refuse("it has %d loops, and the limit is %d", loops, maxLoops)
	case a.loopDepth > maxLoopDepth:
		return refuse("it has loops %d deep, and the limit is %d", a.loopDepth, maxLoopDepth)
	case loops*locals > maxLoopLocals:
		return refuse("it has %d loops and %d locals, and the limit of their product is %d", loops, locals, maxLoopLocals)
	}
	return nil
}

// checkTypes refuses types that are too large.
func checkTypes(types []wasm.FuncType) error {
	for i, t := range types {
		if len(t.Params) > maxParams || len(t.Results) > maxResults {
			return refuse("type %d has %d parameters and %d results, and the limits are %d and %d",
				i, len(t.Params), len(t.Results), maxParams, maxResults)
		}
	}
	return nil
}
