package meter

import (
	"strings"

	"github.com/relayhost/relayhost/host/plugin/wasm"
)

const (
	// nameFunctions is the subsection of the name section that is kept.
	nameFunctions = 1
	// maxName is where a name is cut, in bytes: a trace repeats it for each call.
	maxName = 256
)

// shiftNames keeps the functions' names, so that traces stay readable, and drops
// every other custom section: what they say of code offsets is no longer so.
// What is kept is written anew, since the engine believes what a name section
// says of its lengths: one that lies makes it ask for 100 GB.
func shiftNames(customs []wasm.Custom, index *moduleIndex) (kept []wasm.Custom) {
	for _, c := range customs {
		if c.Name != "name" {
			continue
		}
		if content, ok := shiftNameSection(c.Content, index); ok {
			c.Content = content
			kept = append(kept, c)
		}
	}
	return kept
}

// shiftNameSection fails quietly: a broken name section is no reason to refuse
// a module.
func shiftNameSection(content []byte, index *moduleIndex) (out []byte, ok bool) {
	r := wasm.NewReader(content, 0)
	for r.Len() > 0 {
		id := r.Byte()
		section := r.Bytes(r.U32())
		if id != nameFunctions {
			continue
		}
		if section, ok = shiftNameMap(section, index); !ok {
			return nil, false
		}
		out = append(wasm.AppendU32(append(out, id), uint32(len(section))), section...)
	}
	return out, r.Err() == nil && len(out) > 0
}

func shiftNameMap(section []byte, index *moduleIndex) (out []byte, ok bool) {
	r := wasm.NewReader(section, 0)
	n := r.U32()
	out = wasm.AppendU32(out, n)
	for range n {
		out = wasm.AppendU32(out, index.shift(r.U32()))
		name := r.Name()
		name = strings.ToValidUTF8(name[:min(len(name), maxName)], "")
		out = append(wasm.AppendU32(out, uint32(len(name))), name...)
		if r.Err() != nil {
			return nil, false
		}
	}
	return out, r.Len() == 0
}
