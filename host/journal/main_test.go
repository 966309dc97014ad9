package journal_test

import (
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"

	"github.com/relayhost/relayhost/host/journal"
)

// child is set in a process that a test started.
const child = "JOURNAL_TEST_CHILD"

func TestMain(m *testing.M) {
	journal.SetMemTable(smallTable)
	switch os.Getenv(child) {
	case "":
		goleak.VerifyTestMain(m)
	case "test":
		os.Exit(m.Run())
	default:
		os.Exit(childMain(os.Args[1:]))
	}
}

// smallTable has the store write tables all the time.
const smallTable = 16 << 10

// inChild runs the test in a process of its own, and reports whether this is the
// one that only waits for it: stores that failed leave goroutines behind, as they
// are meant to.
func inChild(t *testing.T) bool {
	t.Helper()
	if os.Getenv(child) != "" {
		return false
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"=test")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return true
}
