package builder

// golang builds what pdk/go is used by.
var golang = &Builder{
	Language: "Go",
	marks:    []string{"go.mod", "*.go"},
	sources:  []string{"*.go", "*.s", "go.mod", "go.sum", "go.work"},
	tool:     "go",
	install:  "install Go, see go.dev/doc/install",
	args: func(out string) []string {
		return []string{"build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-o", out, "."}
	},
	env:    []string{"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0"},
	module: func(out string, _ []byte) (string, error) { return out, nil },
}
