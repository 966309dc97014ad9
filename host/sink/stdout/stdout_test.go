package stdout_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/sink/stdout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func records(texts ...string) (out []message.Record) {
	for _, text := range texts {
		out = append(out, message.Record{Data: []byte(text)})
	}
	return out
}

func ExampleSink() {
	sink := stdout.New(os.Stdout)
	err := sink.Deliver(context.Background(), &message.Batch{}, records("one", "two"))
	fmt.Println(err)
	// Output:
	// one
	// two
	// <nil>
}

func TestBatchesDoNotMix(t *testing.T) {
	var out bytes.Buffer
	sink := stdout.New(&out)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			text := strings.Repeat(fmt.Sprint(n), 100)
			if err := sink.Deliver(t.Context(), &message.Batch{}, records(text, text, text)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 24 {
		t.Fatalf("%d lines, want 24", len(lines))
	}
	for i := 0; i < len(lines); i += 3 {
		if lines[i] != lines[i+1] || lines[i] != lines[i+2] {
			t.Errorf("lines %d to %d are of different batches", i, i+2)
		}
	}
}

func TestWriteError(t *testing.T) {
	r, w := io.Pipe()
	_ = r.CloseWithError(io.ErrClosedPipe)
	err := stdout.New(w).Deliver(t.Context(), &message.Batch{}, records("one"))
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("deliver: %v", err)
	}
}
