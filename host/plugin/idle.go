package plugin

import (
	"slices"
	"time"
)

// reclaimer gives the instances of seats back that have nothing to do.
type reclaimer struct{ ended, done chan struct{} }

// reclaim looks at each seat every so often, until end.
func (d *Deployment) reclaim(every time.Duration) *reclaimer {
	r := &reclaimer{make(chan struct{}), make(chan struct{})}
	go func() {
		defer close(r.done)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-r.ended:
				return
			case <-ticker.C:
				d.reclaimIdle()
			}
		}
	}()
	return r
}

func (r *reclaimer) end() {
	if r != nil {
		close(r.ended)
		<-r.done
	}
}

func (d *Deployment) reclaimIdle() {
	d.mu.Lock()
	seats := slices.Clone(d.seats)
	d.mu.Unlock()
	for _, s := range seats {
		s.reclaim()
	}
}

// reclaim gives the seat's instances back if it had nothing to do since it was
// last asked to. Whoever is at the seat, or changes it, is not waited for.
func (s *Seat) reclaim() {
	if !s.handover.TryLock() {
		return
	}
	defer s.handover.Unlock()
	if !s.mu.TryLock() {
		return
	}
	defer s.End()
	if s.worked {
		s.worked = false
		return
	}
	for _, slot := range s.crew.Load().slots() {
		slot.doze()
	}
}

// firstSlot is the slot that a version has at a seat which is new.
func (s *Seat) firstSlot(p *Plugin) (*Slot, error) {
	if !s.needs(p) || s.deployment.options.Idle <= 0 {
		return s.slot(p)
	}
	if first := p.takeFirst(); first != nil {
		return first, nil
	}
	return p.dozingSlot(s.ctx), nil
}

// doze gives the slot's instances back until it has something to do. Nobody may
// use the slot meanwhile.
func (s *Slot) doze() {
	all := s.vacate()
	if len(all) == 0 {
		return
	}
	s.closing.Go(func() {
		if err := s.retireAll(all); err != nil {
			s.logger.Warn("an idle instance was given back", "error", err)
		}
	})
}
