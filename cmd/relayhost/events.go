package main

import (
	"fmt"
	"io"
	"os"

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
