package journal_test

import (
	"flag"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/relayhost/relayhost/host/journal"
)

// thorough makes the tests that try every operation, byte or bit try all of them.
var thorough = flag.Bool("thorough", false, "try all of it, which takes minutes")

// table is small, so that the store writes tables all the time; with a large one
// there is more in its log.
var table = flag.Uint64("table", 16<<10, "the size of what the store writes at once")

// child is set in a process that a test started.
const child = "JOURNAL_TEST_CHILD"

func TestMain(m *testing.M) {
	flag.Parse()
	journal.SetMemTable(*table)
	journal.SetSparse(2 << 10)
	switch os.Getenv(child) {
	case "":
		goleak.VerifyTestMain(m)
	case "test":
		os.Exit(m.Run())
	default:
		os.Exit(childMain(flag.Args()))
	}
}

// inChild runs the test in a process of its own, and reports whether this is the
// one that only waits for it: stores that failed leave goroutines behind, as they
// are meant to.
func inChild(t *testing.T) bool {
	t.Helper()
	if os.Getenv(child) != "" {
		return false
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-thorough="+strconv.FormatBool(*thorough))
	cmd.Env = append(os.Environ(), child+"=test")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return true
}
