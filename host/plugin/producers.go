package plugin

import "github.com/relayhost/relayhost/host/plugin/wasm"

// producers reads the custom section of that name, see
// https://github.com/WebAssembly/tool-conventions/blob/main/ProducersSection.md:
// a list of fields, each with a list of names and versions. What follows a
// fault in it is left out.
func producers(m *wasm.Module) []Producer {
	all := []Producer{}
	for _, c := range m.Customs {
		if c.Name == "producers" {
			all = readProducers(wasm.NewReader(c.Content, 0), all)
		}
	}
	return all
}

func readProducers(r *wasm.Reader, all []Producer) []Producer {
	for fields := r.U32(); fields > 0 && r.Err() == nil; fields-- {
		field := printable(r.Name(), maxName)
		for values := r.U32(); values > 0; values-- {
			name, version := r.Name(), r.Name()
			if r.Err() != nil || len(all) == maxListed {
				return all
			}
			all = append(all, Producer{Field: field, Name: printable(name, maxName), Version: printable(version, maxName)})
		}
	}
	return all
}
