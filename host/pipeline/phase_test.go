package pipeline_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
)

// A pipeline starts, runs, drains for as long as there is something in flight,
// and ends.
func TestPhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, p := newSource(), &plugin{message: func(*message.Message) message.Patch {
			time.Sleep(time.Minute)
			return message.Patch{}
		}}
		c := shape(1, 2)
		c.Shutdown = time.Hour
		pl, err := pipeline.New(c, in, p)
		if err != nil {
			t.Fatal(err)
		}
		is := func(when string, want pipeline.Phase) {
			t.Helper()
			if got := pl.Phase(); got != want {
				t.Errorf("%s the pipeline is %s, want %s", when, got, want)
			}
		}
		is("before it runs", pipeline.Starting)
		done := make(chan error, 1)
		go func() { done <- pl.Run(t.Context()) }()
		in.push(1)
		synctest.Wait()
		is("with a message at work", pipeline.Running)
		in.end(errBroken)
		synctest.Wait()
		is("after its source has ended", pipeline.Draining)
		if err := <-done; !errors.Is(err, errBroken) {
			t.Errorf("run: %v", err)
		}
		is("after Run", pipeline.Ended)
	})
}
