package host_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/relayhost/relayhost/host/plugin"
)

// cacheDir is shared by the tests of one run: compiling the plugin anew for
// each would take most of their time.
var cacheDir string

func TestMain(m *testing.M) {
	plugin.CompileChild()
	dir, err := os.MkdirTemp("", "relayhost-host-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	cacheDir = dir
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		_ = os.RemoveAll(dir)
		os.Exit(status)
	}))
}
