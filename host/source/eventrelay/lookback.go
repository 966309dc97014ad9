package eventrelay

import (
	"context"
	"time"
)

// maxCounts bounds how often the server is asked for one look back.
const maxCounts = 64

// lookBack looks for events that came late, when it is time for it. It reports
// whether it has more to do at once.
func (s *LogSource) lookBack(ctx context.Context, stop <-chan struct{}) (unfinished bool, err error) {
	if !wait(ctx, stop, 0) {
		return false, nil
	}
	if now := time.Now(); now.Sub(s.looked) >= s.options.PullInterval {
		found := search{in: s, stop: stop, left: maxCounts}
		if err := found.whole(ctx, s.back()); err != nil {
			return false, err
		}
		if unfinished = found.left <= 0; !unfinished {
			s.looked = now
		}
	}
	sweeping, err := s.sweepOn(ctx)
	return unfinished || sweeping, err
}

// back is the stretch in which events are looked for.
func (s *LogSource) back() stretch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return stretch{above: s.state.low, upTo: s.state.cursor}
}

// search finds what was not seen, or is gone, by counting: a stretch of which the
// log has as many events as were seen is left alone, another one is halved until
// it fits into a page.
type search struct {
	in   searched
	stop <-chan struct{}
	// left is how many requests are left.
	left int
	// upward: the lower half comes first. Else the upper one does: what is late
	// is rarely far below the cursor.
	upward bool
}

// searched is what a search compares with the log.
type searched interface {
	// page asks for the first n events of a stretch.
	page(ctx context.Context, r stretch, n int) (page, error)
	// seen is how many of its events were seen and are not known to be gone.
	seen(r stretch) int64
	// middle is where to halve it.
	middle(r stretch) int64
	// compare reads it, as far as a page goes, and takes up what was not seen. It
	// returns how far it got.
	compare(ctx context.Context, r stretch) (reached int64, err error)
	// enough reports whether what was taken up is to be handed out first.
	enough() bool
}

// whole searches a stretch; it is not done if nothing is left.
func (f *search) whole(ctx context.Context, r stretch) error {
	if r.above >= r.upTo {
		return nil
	}
	// Before the count: what comes between the two makes them differ, and hides
	// nothing.
	seen := f.in.seen(r)
	total, err := f.count(ctx, r)
	if err != nil {
		return err
	}
	return f.part(ctx, r, seen, total)
}

// count is how many events the log has in a stretch.
func (f *search) count(ctx context.Context, r stretch) (int64, error) {
	f.left--
	p, err := f.in.page(ctx, r, 1)
	return p.total, err
}

// part searches a stretch of whose total events some were seen.
func (f *search) part(ctx context.Context, r stretch, seen, total int64) error {
	if seen == total {
		return nil
	}
	if f.in.enough() || !wait(ctx, f.stop, 0) {
		f.left = 0
	}
	if f.left <= 0 {
		return nil
	}
	if total == 0 || max(seen, total) <= maxPage || r.upTo-r.above <= 1 {
		return f.read(ctx, r)
	}
	middle := f.in.middle(r)
	upper, lower := stretch{above: middle, upTo: r.upTo}, stretch{above: r.above, upTo: middle}
	seenAbove := f.in.seen(upper)
	above, err := f.count(ctx, upper)
	if err != nil {
		return err
	}
	first := func() error { return f.part(ctx, upper, seenAbove, above) }
	second := func() error { return f.part(ctx, lower, max(seen-seenAbove, 0), max(total-above, 0)) }
	if f.upward {
		first, second = second, first
	}
	if err := first(); err != nil {
		return err
	}
	return second()
}

func (f *search) read(ctx context.Context, r stretch) error {
	f.left--
	reached, err := f.in.compare(ctx, r)
	if reached < r.upTo {
		f.left = 0
	}
	return err
}

func (s *LogSource) seen(r stretch) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.window.count(r)
}

func (s *LogSource) middle(r stretch) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.window.middle(r)
}

func (s *LogSource) enough() bool { return s.waiting() >= maxPage }

func (s *LogSource) compare(ctx context.Context, r stretch) (reached int64, err error) {
	p, err := s.page(ctx, r, maxPage)
	if err != nil {
		return r.above, err
	}
	if last := len(p.messages) - 1; last >= 0 && p.total > int64(len(p.messages)) {
		r.upTo = p.messages[last].Position
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.see(p.messages)
	s.state.window.compare(r, p.messages)
	return r.upTo, nil
}

// sweep reads all of the window now and then: an event that came late where
// another one was deleted does not show in a count.
type sweep struct {
	at   int64 // 0 if none is going on
	done time.Time
}

// sweepOn sweeps one page on when it is time. It reports whether the sweep goes
// on.
func (s *LogSource) sweepOn(ctx context.Context) (bool, error) {
	now, r := time.Now(), s.back()
	if s.sweep.at == 0 && now.Sub(s.sweep.done) < s.options.Lookback.Time/2 {
		return false, nil
	}
	if r.above = max(r.above, s.sweep.at); r.above < r.upTo {
		upTo := s.stride(r)
		reached, err := s.compare(ctx, stretch{above: r.above, upTo: upTo})
		if err != nil {
			return false, err
		}
		s.sweep.at = reached
		if reached < r.upTo {
			return true, nil
		}
	}
	s.sweep = sweep{done: now}
	return false, nil
}

// stride is the end of the first page of a stretch, by what was seen.
func (s *LogSource) stride(r stretch) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if part := s.state.window.part(r); len(part) >= maxPage {
		return part[maxPage-1].position
	}
	return r.upTo
}
