package eventrelay

import (
	"cmp"
	"hash/maphash"
	"slices"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// seed is for the hashes of ids, which leave this process never.
var seed = maphash.MakeSeed()

// key tells events apart: by their ids, of which a hash is enough beside the
// offset, which the server gives but once.
type key struct {
	position int64
	id       uint64
}

func keyOf(m *message.Message) key { return key{m.Position, maphash.String(seed, m.ID)} }

func (k key) compare(other key) int {
	return cmp.Or(cmp.Compare(k.position, other.position), cmp.Compare(k.id, other.id))
}

// sighting is an event that was seen.
type sighting struct {
	key
	at int64 // when it was first seen, in nanoseconds since 1970
	// gone: the log does not have it any more.
	gone bool
}

// sightingSize is what a sighting takes, in bytes.
const sightingSize = 32

// window is what was seen of a stretch of the log, in the order of offsets.
type window struct {
	seen []sighting
	gone int
}

// remember makes the window of an earlier run's marks above the floor.
func remember(marks []message.Mark, floor int64) window {
	var w window
	for _, m := range marks {
		if m.Position > floor {
			w.seen = append(w.seen, sighting{key: key{m.Position, maphash.String(seed, m.ID)}, at: m.At.UnixNano()})
		}
	}
	slices.SortFunc(w.seen, func(a, b sighting) int { return cmp.Or(a.compare(b.key), cmp.Compare(a.at, b.at)) })
	w.seen = slices.CompactFunc(w.seen, func(a, b sighting) bool { return a.key == b.key })
	return w
}

// add takes note of events, in the order of their offsets, and returns those
// that were not seen before. One that was gone is there again.
func (w *window) add(messages []*message.Message, now time.Time) (unseen []*message.Message) {
	var added []sighting
	var last key
	for _, m := range messages {
		k := keyOf(m)
		if k == last {
			continue
		}
		last = k
		if i, found := w.find(k); !found {
			added = append(added, sighting{key: k, at: now.UnixNano()})
			unseen = append(unseen, m)
		} else if w.seen[i].gone {
			w.seen[i].gone = false
			w.gone--
		}
	}
	w.merge(added)
	return unseen
}

func (w *window) find(k key) (int, bool) {
	if n := len(w.seen); n == 0 || w.seen[n-1].compare(k) < 0 {
		return n, false
	}
	return slices.BinarySearchFunc(w.seen, k, func(s sighting, k key) int { return s.compare(k) })
}

// merge inserts sightings from the end on, so that the usual ones, above all
// others, cost nothing.
func (w *window) merge(added []sighting) {
	slices.SortFunc(added, func(a, b sighting) int { return a.compare(b.key) })
	old := len(w.seen)
	w.seen = append(w.seen, added...)
	for to := len(w.seen) - 1; len(added) > 0 && old > 0; to-- {
		if last := len(added) - 1; w.seen[old-1].compare(added[last].key) < 0 {
			w.seen[to] = added[last]
			added = added[:last]
		} else {
			old--
			w.seen[to] = w.seen[old]
		}
	}
	copy(w.seen, added)
}

// part is the sightings of a stretch that has an end.
func (w *window) part(s stretch) []sighting {
	return w.seen[w.above(s.above):w.above(s.upTo)]
}

// above is the place of the first sighting above an offset.
func (w *window) above(position int64) int {
	i, _ := slices.BinarySearchFunc(w.seen, position+1, func(s sighting, p int64) int { return cmp.Compare(s.position, p) })
	return i
}

// count is how many of the events that were seen in a stretch the log still has.
func (w *window) count(s stretch) int64 {
	part := w.part(s)
	n := len(part)
	if w.gone > 0 {
		for i := range part {
			if part[i].gone {
				n--
			}
		}
	}
	return int64(n)
}

// compare notes which of the sightings of a stretch the log does not have any
// more, given all events that it has there.
func (w *window) compare(s stretch, there []*message.Message) {
	has := make(map[key]bool, len(there))
	for _, m := range there {
		has[keyOf(m)] = true
	}
	part := w.part(s)
	for i := range part {
		if !part[i].gone && !has[part[i].key] {
			part[i].gone = true
			w.gone++
		}
	}
}

// drop forgets the lowest n sightings and returns the highest offset of them.
func (w *window) drop(n int) (position int64) {
	for _, s := range w.seen[:n] {
		position = s.position
		if s.gone {
			w.gone--
		}
	}
	w.seen = w.seen[n:]
	// What append leaves behind is freed when it next grows; without one, here.
	if len(w.seen) == 0 {
		w.seen = nil
	}
	return position
}

// remove forgets events.
func (w *window) remove(messages []*message.Message) {
	for _, m := range messages {
		i, found := w.find(keyOf(m))
		if !found {
			continue
		}
		if w.seen[i].gone {
			w.gone--
		}
		w.seen = slices.Delete(w.seen, i, i+1)
	}
}

// middle splits a stretch: by what was seen of it, or else in half.
func (w *window) middle(s stretch) int64 {
	if part := w.part(s); len(part) > 1 {
		if m := part[(len(part)-1)/2].position; m < s.upTo {
			return m
		}
	}
	return s.above + (s.upTo-s.above)/2
}
