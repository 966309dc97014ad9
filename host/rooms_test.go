package host_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/relayhost/relayhost/"

// rooms says what each room of the house may import, of the house itself. A
// room that ends in a slash holds rooms alike, none of which imports another
// unless it is named. What is not listed does not build.
var rooms = []struct {
	room string
	may  []string
}{
	// Floor 0.
	{"abi", nil},
	{"proto/eventrelay", nil},
	{"proto/relayhost", []string{"proto/eventrelay"}},
	{"host/message", nil},
	{"host/secret", nil},
	{"host/heap", nil},
	{"host/partition", []string{"abi", "host/message"}},
	{"host/provenance", nil},
	{"host/config", []string{"host/secret", "host/partition", "host/provenance"}},
	{"host/eventjson", nil}, // knows the messages by their descriptors
	{"host/eventrelay", []string{"proto/eventrelay", "host/secret"}},
	// Floor 1.
	{"host/pipeline", []string{"host/message"}},
	{"host/plugin", []string{"abi", "host/message", "host/plugin/wasm", "host/plugin/meter"}},
	{"host/plugin/wasm", nil},
	{"host/plugin/meter", []string{"host/plugin/wasm"}},
	{"host/telemetry", []string{"host/message"}},
	{"host/source/", []string{"abi", "proto/eventrelay", "host/message", "host/eventrelay"}},
	{"host/sink/", []string{"host/message"}},
	{"host/journal", []string{"host/message"}},
	{"host/versions", nil},
	{"host/control", []string{"host/message", "host/secret"}},
	{"host/watch", nil},
	{"host/builder", nil},
	{"host/devserver/pki", nil},
	{"host/devserver", []string{"proto/eventrelay", "host/devserver/"}},
	{"host/devserver/internal/query", []string{"proto/eventrelay"}},
	{"host/trial", []string{"abi", "proto/eventrelay", "host/message", "host/pipeline", "host/plugin"}}, // wires, without a server
	// Floor 2 wires, floor 3 is the command line.
	{"host", []string{"host/", "abi", "proto/"}},
	{"cmd/relayhost", []string{"host", "host/", "plugins", "proto/eventrelay"}},
	// Beside the house.
	{"pdk/go", []string{"abi", "pdk/go/"}},
	{"pdk/go/", []string{"abi", "pdk/go", "proto/eventrelay"}}, // for tests on the developer's machine
	{"plugins", nil},
	{"plugins/", []string{"pdk/go"}},
}

// stdlibOnly are the rooms that anything may be built on.
var stdlibOnly = []string{"abi", "host/message", "host/pipeline", "host/plugin/wasm", "host/heap", "host/secret", "host/control", "host/versions"}

func TestRooms(t *testing.T) {
	for _, line := range goList(t, "{{.ImportPath}} {{join .Imports \" \"}}", module+"...") {
		imports := strings.Fields(line)
		from := strings.TrimPrefix(imports[0], module)
		may, known := allowed(from)
		if !known {
			t.Errorf("%s is in no room: give it one in rooms", from)
			continue
		}
		for _, path := range imports[1:] {
			to, internal := strings.CutPrefix(path, module)
			if internal && !slices.ContainsFunc(may, func(room string) bool { return in(to, room) }) {
				t.Errorf("%s imports %s, and may import only %v", from, to, may)
			}
		}
	}
}

func TestStandardLibraryOnly(t *testing.T) {
	for _, room := range stdlibOnly {
		for _, line := range goList(t, "{{.ImportPath}} {{.Standard}}", "-deps", module+room) {
			path, standard, _ := strings.Cut(line, " ")
			if standard != "true" && !strings.HasPrefix(path, module) {
				t.Errorf("%s depends on %s", room, path)
			}
		}
	}
}

func allowed(pkg string) ([]string, bool) {
	for _, r := range rooms {
		if in(pkg, r.room) {
			return r.may, true
		}
	}
	return nil, false
}

func in(pkg, room string) bool {
	if strings.HasSuffix(room, "/") {
		return strings.HasPrefix(pkg, room)
	}
	return pkg == room
}

func goList(t *testing.T, format string, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-f", format}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
