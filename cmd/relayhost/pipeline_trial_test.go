package main

import (
	"testing"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/trial"
)

// What waits in a halted partition is neither ok nor failed.
func TestUnsettledOutcomes(t *testing.T) {
	poison := message.Failed(message.Handler, "poison")
	for _, c := range []struct {
		ack  trial.Ack
		want string
	}{
		{trial.Ack{Outcome: poison, Attempts: 1, Fuel: 7}, "0 unsettled handler attempts=1 fuel=7 0s  poison"},
		{trial.Ack{}, "0 unsettled waiting fuel=0 0s"},
	} {
		if got := acknowledged(0, &c.ack).String(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
