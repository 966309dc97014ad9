package pipeline

import "time"

// ahead sizes what is pulled before any processor has asked for it: what the
// pipeline uses in the time of a few pulls, so that a pull's time is hidden
// behind the work. It is measured and begins with nothing; where a pull takes no
// time, or the source has no more, it stays or becomes nothing.
type ahead struct {
	window int
	// size is a message's mean size.
	size int64
	// asked is how many messages processors have asked for since the last pull
	// arrived.
	asked   int
	arrived time.Time
	// Sums over the last pulls, the latest weighing most: what was used, in which
	// time, how long the pulls took, their ways into the journal included, and how
	// many they were.
	used, elapsed, took, pulls float64
}

const (
	// aheadPulls is how many pulls' time is covered: one for the pull itself, one
	// because it begins only when half is used up, and one as pulls differ.
	aheadPulls = 3
	// aheadTime is the longest pull that is hidden: a slow pipeline does not lock
	// away events for long that another host could have had.
	aheadTime = 250 * time.Millisecond
	// aheadFade is what a measure weighs when the next one comes.
	aheadFade = 0.875
)

// learn measures with a pull that has arrived. One that brought less than half
// of what it asked for has waited for events: it tells nothing of how long a pull
// takes, and that little is to be had.
func (a *ahead) learn(b *brought, now time.Time) {
	used, elapsed := a.asked, now.Sub(a.arrived)
	a.asked, a.arrived = 0, now
	if a.size = max(int64(b.bytes/len(b.messages)), 1); 2*len(b.messages) < b.wanted {
		a.window /= 2
		return
	}
	a.used = a.used*aheadFade + float64(used)
	a.elapsed = a.elapsed*aheadFade + elapsed.Seconds()
	a.took = a.took*aheadFade + min(now.Sub(b.began), aheadTime).Seconds()
	a.pulls = a.pulls*aheadFade + 1
	if a.elapsed > 0 {
		a.window = int(aheadPulls * a.took / a.pulls * a.used / a.elapsed)
	}
}
