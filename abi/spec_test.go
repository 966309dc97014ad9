package abi_test

import (
	"os"
	"strings"
	"testing"
)

// The whole plugin in SPEC.md is the one that host/plugin's tests run.
func TestSpecExampleIsTested(t *testing.T) {
	spec, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(spec), "```wat\n")
	example, _, _ := strings.Cut(rest, "```")
	tested, err := os.ReadFile("../host/plugin/testdata/spec.wat")
	if err != nil {
		t.Fatal(err)
	}
	if example == "" || example != string(tested) {
		t.Error("the example of SPEC.md is not host/plugin/testdata/spec.wat")
	}
}
