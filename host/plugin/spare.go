package plugin

// spare is an instance in the making. Its goroutine is started by newSpare and
// ends by itself; the slot waits for it in take.
type spare struct {
	done     chan struct{}
	instance *instance
	fault    *fault
}

func (s *Slot) newSpare() *spare {
	sp := &spare{done: make(chan struct{})}
	go func() {
		defer close(sp.done)
		sp.instance, sp.fault = s.newInstance()
	}()
	return sp
}

// readySpare is a spare that is there.
func readySpare(in *instance) *spare {
	sp := &spare{done: make(chan struct{}), instance: in}
	close(sp.done)
	return sp
}

func (sp *spare) take() (*instance, *fault) {
	<-sp.done
	return sp.instance, sp.fault
}

// replenish has as many spares in the making as the slot may keep.
func (s *Slot) replenish() {
	for len(s.spares) < s.plugin.settings.Limits.Spares {
		s.spares = append(s.spares, s.newSpare())
	}
}

// nextInstance is the oldest spare, or a new instance in a slot that never lost
// one.
func (s *Slot) nextInstance() (*instance, *fault) {
	if !s.lossy && len(s.spares) == 0 {
		return s.newInstance()
	}
	instance, f := s.takeSpare()
	if f == nil {
		s.replenish()
	}
	return instance, f
}

// takeSpare waits for the oldest spare. Where it failed, the others are not
// worth waiting for.
func (s *Slot) takeSpare() (*instance, *fault) {
	s.replenish()
	first := s.spares[0]
	s.spares = append(s.spares[:0], s.spares[1:]...)
	return first.take()
}
