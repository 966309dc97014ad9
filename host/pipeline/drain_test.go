package pipeline_test

import (
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
)

func TestDrainEmitsPartialBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in, p := &sink{}, newSource(), &plugin{}
		r := start(t, shape(0, 10, batcher("default", 4, out)), in, p)
		in.push(1, 2)
		synctest.Wait()
		began := time.Now()
		r.drain(p)
		if took := time.Since(began); took > 0 {
			t.Errorf("the drain waited %v for a batch's timeout", took)
		}
		if got := out.delivered(); !cmp.Equal(got, []string{"default/ flush [1 2]"}) {
			t.Errorf("batches: %v", got)
		}
	})
}

// A source that is exhausted ends the pipeline, with everything settled.
func TestExhaustedSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in, p := &sink{}, newSource(), &plugin{}
		config := shape(0, 10, batcher("default", 4, out))
		config.Producer.Concurrency = 3
		r := start(t, config, in, p)
		in.push(numbers(1, 9)...)
		in.end(io.EOF)
		if err := <-r.done; err != nil {
			t.Errorf("run: %v", err)
		}
		if got := r.Books().Settled[message.OK]; got != 9 {
			t.Errorf("settled %d of 9", got)
		}
	})
}

func TestFailingSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, p := newSource(), &plugin{}
		r := start(t, shape(0, 10), in, p)
		in.push(1)
		in.end(errBroken)
		if err := <-r.done; !errors.Is(err, errBroken) {
			t.Errorf("run: %v", err)
		}
		r.balanced(0)
	})
}

// One deadline for the whole drain, however many stages and slots are stuck;
// what is unsettled is named.
func TestDrainDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		in := newSource()
		p := &plugin{message: func(m *message.Message) message.Patch {
			if number(m)%2 == 0 {
				<-gate
			}
			return message.Patch{}
		}}
		config := shape(0, 1, batcher("default", 100, &sink{}))
		config.Processors.Concurrency = 4
		config.Shutdown = 300 * time.Millisecond
		r := start(t, config, in, p)
		in.push(1, 2, 3, 4)
		synctest.Wait()
		began := time.Now()
		r.cancel()
		err := <-r.done
		var unsettled *pipeline.UnsettledError
		if !errors.As(err, &unsettled) {
			t.Fatalf("run: %v", err)
		}
		if took := time.Since(began); took > config.Shutdown+time.Second {
			t.Errorf("the drain took %v with a deadline of %v", took, config.Shutdown)
		}
		slices.Sort(unsettled.IDs)
		if want := []string{"1", "2", "3", "4"}; !cmp.Equal(unsettled.IDs, want) {
			t.Errorf("unsettled: %v, want %v: 1 and 3 wait in the open batch", unsettled.IDs, want)
		}
		r.balanced(4)
		close(gate) // late results are ignored
		synctest.Wait()
		r.balanced(4)
		if got := in.acked(); len(got) > 0 {
			t.Errorf("acked after the deadline: %v", got)
		}
	})
}

// A pull that is in flight when the drain begins finishes, and what it brings
// is handled.
func TestDrainKeepsThePullInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, p := newSource(), &plugin{}
		late := &lateSource{source: in}
		pl, err := pipeline.New(shape(0, 10), late, p)
		if err != nil {
			t.Fatal(err)
		}
		r := runPipeline(t, pl)
		in.push(1, 2, 3)
		r.cancel()
		if err := <-r.done; err != nil {
			t.Errorf("run: %v", err)
		}
		if got := pl.Books().Settled[message.OK]; got != 3 {
			t.Errorf("settled %d of the 3 that the last pull brought", got)
		}
	})
}

func TestPluginThatCannotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newSource()
		in.push(1)
		p := &plugin{refuse: func(n int) error {
			if n == 2 {
				return errBroken
			}
			return nil
		}}
		config := shape(0, 10, batcher("default", 4, &sink{}))
		config.Processors.Concurrency = 4
		r := start(t, config, in, p)
		if err := <-r.done; !errors.Is(err, errBroken) {
			t.Errorf("run: %v", err)
		}
		if in.pulled() != 0 || p.made != p.closed {
			t.Errorf("pulled %d, made %d handlers, closed %d", in.pulled(), p.made, p.closed)
		}
	})
}
