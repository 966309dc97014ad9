// Command guard fails when handling a message has become slower beside what does the
// same job in the same process: bars 1 and 4 of docs/performance/README.md. It looks
// at the middle of many short turns that sides take one after the other, and looks
// again before it says no, so that a busy machine does not decide.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/relayhost/relayhost/bench/call"
)

// limits are what the ratios may not go beyond: what was measured last on a quiet
// machine, and what a busy one was seen to add. The bars themselves, which some are
// just within, are for bench on a quiet machine.
var limits = []struct {
	side, to        int
	atMost, atLeast float64
}{
	{side: call.SlotC, to: call.FloorC, atMost: 1.6},
	{side: call.SlotGo, to: call.FloorGo, atMost: 1.45},
	{side: call.ExtismC, to: call.SlotC, atLeast: 45},
	{side: call.CloseC, to: call.SlotC, atLeast: 9},
	{side: call.CloseGo, to: call.SlotGo, atLeast: 4},
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "guard: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	sides, err := call.Sides(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, call.Close(sides)) }()
	const rounds = 31
	if look(sides, rounds) == nil {
		return nil
	}
	_, _ = fmt.Fprintln(os.Stdout, "again, and longer:")
	return look(sides, 2*rounds)
}

// look prints every ratio, and is an error if one is beyond its limit.
func look(sides []call.Side, rounds int) (err error) {
	times := call.Turns(sides, rounds, 5*time.Millisecond)
	for _, l := range limits {
		name, ratio := sides[l.side].Name+" ÷ "+sides[l.to].Name, times.Ratio(l.side, l.to)
		wanted, beyond := fmt.Sprintf("at most %.2f", l.atMost), ratio > l.atMost
		if l.atLeast > 0 {
			wanted, beyond = fmt.Sprintf("at least %.2f", l.atLeast), ratio < l.atLeast
		}
		_, _ = fmt.Fprintf(os.Stdout, "%-45s %6.2f, %s\n", name, ratio, wanted)
		if beyond {
			err = errors.Join(err, fmt.Errorf("%s is %.2f, want %s", name, ratio, wanted))
		}
	}
	return err
}
