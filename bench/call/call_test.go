package call_test

import (
	"testing"

	"github.com/relayhost/relayhost/bench/call"
)

// Every side does the job, which Call checks; and each has its benchmark, for a
// profile of it alone.
func BenchmarkCall(b *testing.B) {
	sides, err := call.Sides(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, side := range sides {
		b.Run(side.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				side.Call()
			}
		})
	}
	if err := call.Close(sides); err != nil {
		b.Fatal(err)
	}
}
