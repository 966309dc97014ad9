package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/relayhost/relayhost/host/eventjson"
)

// readEvents reads the events of a file; - is standard input.
func readEvents[T any, M eventjson.Message[T]](file string, stdin io.Reader) ([]M, error) {
	events, err := readFile[T, M](file, stdin)
	if err != nil {
		return nil, fmt.Errorf("read events of %s: %w", file, err)
	}
	return events, nil
}

func readFile[T any, M eventjson.Message[T]](file string, stdin io.Reader) ([]M, error) {
	if file == "-" {
		return eventjson.Read[T, M](stdin)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return eventjson.Read[T, M](f)
}

// eventFiles is the file of a name, or those of a directory that hold events, in
// the order of their names.
func eventFiles(name string) ([]string, error) {
	if !isDirectory(name) {
		return []string{name}, nil
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, fmt.Errorf("read events of %s: %w", name, err)
	}
	var files []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".json" || ext == ".jsonl") {
			files = append(files, filepath.Join(name, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("the directory %s has no *.json or *.jsonl file", name)
	}
	return files, nil
}

// isDirectory is false for what cannot be looked at: what is wrong with that is
// said when it is read.
func isDirectory(name string) bool {
	info, err := os.Stat(name)
	return name != "-" && err == nil && info.IsDir()
}
