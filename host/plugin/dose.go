package plugin

import (
	"os"
	"time"
)

// While events flow a process that compiles runs for dose and stands still for
// rest, over and over. Without that it takes what the processors leave, and each
// slot that wakes up beside it is late. A dose is long, since what is late is late
// once: with a quarter of both there are more gaps of the 99.9th percentile, for
// the same share of a processor (BenchmarkSwapGap).
const (
	dose = 20 * time.Millisecond
	rest = 80 * time.Millisecond
)

// compiling is a process that compiles for others.
type compiling struct {
	process *os.Process
	busy    func() bool
	ended   chan struct{}
	paced   chan struct{}
}

// begin has a process run in doses until end, whenever it would be in the way.
func begin(p *os.Process, busy func() bool) *compiling {
	_ = giveWay(p.Pid) // until it does so by itself; it may have ended
	c := &compiling{process: p, busy: busy, ended: make(chan struct{}), paced: make(chan struct{})}
	go c.run()
	return c
}

// end is for when the process has ended.
func (c *compiling) end() {
	close(c.ended)
	<-c.paced
}

func (c *compiling) run() {
	defer close(c.paced)
	for c.wait(dose) {
		if !c.busy() {
			continue
		}
		halt(c.process)
		more := c.wait(rest)
		resume(c.process)
		if !more {
			return
		}
	}
}

// wait reports whether the process had not ended after d.
func (c *compiling) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.ended:
		return false
	case <-timer.C:
		return true
	}
}
