package plugin

import "fmt"

// positions checks the indexes that a guest gives the results of n messages:
// each lies in range and occurs once.
type positions struct {
	taken []bool
	left  int // those that no result has had
}

func (p *positions) reset(n int) {
	if cap(p.taken) < n {
		p.taken = make([]bool, n)
	}
	p.taken = p.taken[:n]
	clear(p.taken)
	p.left = n
}

func (p *positions) take(index uint32) error {
	switch {
	case int64(index) >= int64(len(p.taken)):
		return fmt.Errorf("index %d is out of range, there are %d messages", index, len(p.taken))
	case p.taken[index]:
		return fmt.Errorf("index %d occurs twice", index)
	}
	p.taken[index] = true
	p.left--
	return nil
}
