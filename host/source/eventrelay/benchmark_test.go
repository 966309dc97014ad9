package eventrelay_test

import (
	"context"
	"testing"
)

// BenchmarkPull is the source's own share of a pull of 1000 events.
func BenchmarkPull(b *testing.B) {
	raw := reply(count(1, 1000)...)
	f := newFake(func(context.Context, int, int) ([]byte, error) { return raw, nil })
	s := f.source(newLogbook(b))
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		mustPull(b, s, nil, 1000)
	}
}
