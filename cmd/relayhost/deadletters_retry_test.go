package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/relayhost/relayhost/host/control"
)

// numbered is a host of dead letters that are numbered from 1 on.
type numbered struct {
	control.Host

	letters, size int
	broken        error // after the last
	asked         int
}

func (h *numbered) DeadLetters(_ context.Context, q control.Query) iter.Seq2[control.DeadLetter, error] {
	return func(yield func(control.DeadLetter, error) bool) {
		h.asked++
		n := 0
		for i := 1; i <= h.letters; i++ {
			d := control.DeadLetter{ID: fmt.Sprintf("%012d", i), Event: make([]byte, h.size)}
			if d.ID <= q.After {
				continue
			}
			if n++; !yield(d, nil) || n == q.Limit {
				return
			}
		}
		if h.broken != nil {
			yield(control.DeadLetter{}, h.broken)
		}
	}
}

// Pages join without a gap, and end where the list or the limit does.
func TestDeadLettersInPages(t *testing.T) {
	for _, c := range []struct {
		letters, size, limit, want, asked int
		broken                            error
	}{
		{letters: 0, want: 0, asked: 1},
		{letters: 999, want: 999, asked: 1},
		{letters: 2000, want: 2000, asked: 3},
		{letters: 2500, want: 2500, asked: 3},
		{letters: 2500, limit: 1000, want: 1000, asked: 1},
		{letters: 2500, limit: 1500, want: 1500, asked: 2},
		{letters: 5, size: 5 << 20, want: 5, asked: 3},
		{letters: 1200, broken: errors.New("the disk"), want: 1200, asked: 2},
	} {
		h := &numbered{letters: c.letters, size: c.size, broken: c.broken}
		n := 0
		var last error
		for d, err := range inPages(t.Context(), h, control.Filter{Limit: c.limit}) {
			if last = err; err != nil {
				continue
			}
			if n++; d.ID != fmt.Sprintf("%012d", n) {
				t.Fatalf("number %d is %s", n, d.ID)
			}
		}
		if n != c.want || h.asked != c.asked || !errors.Is(last, c.broken) {
			t.Errorf("%+v: %d dead letters in %d pages, %v", c, n, h.asked, last)
		}
	}
}
