package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is the release that this tree becomes. A release build sets it with
// -ldflags '-X main.version=…', as it sets revision where the build has no
// version control to ask.
var (
	version  = "0.1.0-dev"
	revision = ""
)

type versionCommand struct{}

// Run prints one line on standard output.
func (versionCommand) Run(p *process) error {
	_, err := fmt.Fprintf(p.out, "relayhost %s, revision %s, %s %s/%s\n",
		version, builtFrom(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// builtFrom is the revision that the linker or the build's own record gives.
func builtFrom() string {
	if revision != "" {
		return revision
	}
	found, modified := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				found = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = "+modified"
			}
		}
	}
	return found + modified
}
