package meter

import "github.com/relayhost/relayhost/host/plugin/wasm"

// The subsections of the name section.
const (
	nameModule    = 0
	nameFunctions = 1
)

// shiftNames keeps the module's and its functions' names, so that traces stay
// readable, and drops every other custom section: what they say of code offsets
// is no longer so.
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
		switch id {
		case nameModule:
		case nameFunctions:
			if section, ok = shiftNameMap(section, index); !ok {
				return nil, false
			}
		default:
			continue
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
		out = append(wasm.AppendU32(out, uint32(len(name))), name...)
		if r.Err() != nil {
			return nil, false
		}
	}
	return out, r.Len() == 0
}
