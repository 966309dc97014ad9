package versions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

const (
	format = 1
	// maxJudged is how many notes of unfit versions are kept, and maxKept how many
	// versions a configuration may have kept.
	maxJudged = 50
	maxKept   = 100
	// maxIndex bounds the file: every text of every version escaped, and more.
	maxIndex = 16 << 20
)

// index is what is known of a pipeline's versions. It is never changed, only
// replaced by another.
type index struct {
	Format int `json:"format"`
	// Considered is the digest of the configured file when it was last looked at.
	Considered string `json:"considered,omitempty"`
	// Kept are the good ones, the live one first and then the newest first, each
	// digest once.
	Kept []Version `json:"kept"`
	// Judged are the others, the newest first.
	Judged []Version `json:"judged"`
}

// live makes a version the live one, and forgets the oldest beyond keep.
func (x index) live(v Version, keep int) index {
	v.State, v.Reason = Good, ""
	if old, ok := x.kept(v.Digest); ok && v.Seen.IsZero() {
		v.Seen = old.Seen
	}
	if v.Live.IsZero() {
		v.Live = time.Now()
	}
	if v.Seen.IsZero() {
		v.Seen = v.Live
	}
	others := without(x.Kept, func(k Version) bool { return k.Digest == v.Digest })
	x.Kept = first(keep, prepend(v.bounded(), others))
	x.Judged = without(x.Judged, func(j Version) bool { return j.is(v.Digest, v.Settings) })
	return x
}

// judged notes that a version is unfit. If it was the live one, the one before it
// is the live one now.
func (x index) judged(v Version, state State) index {
	if old, ok := x.kept(v.Digest); ok {
		v = v.completed(old)
	}
	if v.Seen.IsZero() {
		v.Seen = time.Now()
	}
	v.State = state
	v = v.bounded()
	same := func(o Version) bool { return o.is(v.Digest, v.Settings) }
	wasLive := len(x.Kept) > 0 && same(x.Kept[0])
	x.Kept = without(x.Kept, same)
	if wasLive && len(x.Kept) > 0 {
		x.Kept[0].Live = time.Now()
		x.Kept[0] = x.Kept[0].bounded()
	}
	x.Judged = first(maxJudged, prepend(v, without(x.Judged, same)))
	return x
}

// completed takes from what is known of the same file what the version does not
// say itself.
func (v Version) completed(old Version) Version {
	if v.Settings == "" {
		v.Settings = old.Settings
	}
	if v.Settings != old.Settings {
		return v
	}
	if v.Source == "" {
		v.Source = old.Source
	}
	if v.Size == 0 {
		v.Size = old.Size
	}
	if v.Seen.IsZero() {
		v.Seen = old.Seen
	}
	if v.Live.IsZero() {
		v.Live = old.Live
	}
	return v
}

// lost forgets a version whose bytes are gone.
func (x index) lost(digest string) index {
	x.Kept = without(x.Kept, func(k Version) bool { return k.Digest == digest })
	return x
}

// kept is the good version with a digest.
func (x index) kept(digest string) (Version, bool) {
	i := slices.IndexFunc(x.Kept, func(k Version) bool { return k.Digest == digest })
	if i < 0 {
		return Version{}, false
	}
	return x.Kept[i], true
}

// all is every version: the live one, and then the newest first.
func (x index) all() []Version {
	all := slices.Concat(x.Kept, x.Judged)
	if len(x.Kept) > 0 {
		newestFirst(all[1:])
		return all
	}
	newestFirst(all)
	return all
}

func newestFirst(all []Version) {
	slices.SortStableFunc(all, func(a, b Version) int { return b.last().Compare(a.last()) })
}

// without, prepend and first leave the slice that they are given as it is.

func without(all []Version, unwanted func(Version) bool) []Version {
	return slices.DeleteFunc(slices.Clone(all), unwanted)
}

func prepend(v Version, others []Version) []Version {
	return append([]Version{v}, others...)
}

func first(n int, all []Version) []Version { return all[:min(n, len(all))] }

// encode writes an index as [parseIndex] reads it.
func (x index) encode() ([]byte, error) {
	x.Format = format
	return json.MarshalIndent(x, "", "  ")
}

// parseIndex reads an index, and takes nothing in it on trust.
func parseIndex(text []byte) (index, error) {
	var x index
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&x); err != nil {
		return index{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return index{}, errors.New("there is more after the object")
	}
	if err := x.check(); err != nil {
		return index{}, err
	}
	return x, nil
}

func (x index) check() error {
	if x.Format != format {
		return fmt.Errorf("its format is %d, and not %d", x.Format, format)
	}
	if x.Considered != "" && !digestPattern.MatchString(x.Considered) {
		return errors.New("considered is not a digest")
	}
	if len(x.Kept) > maxKept || len(x.Judged) > maxJudged {
		return fmt.Errorf("it has %d and %d versions, more than %d and %d", len(x.Kept), len(x.Judged), maxKept, maxJudged)
	}
	seen := make(map[string]bool)
	for _, v := range x.Kept {
		if err := v.check(Good); err != nil {
			return err
		}
		if seen[v.Digest] {
			return fmt.Errorf("it has %s twice", v.Digest)
		}
		seen[v.Digest] = true
	}
	for _, v := range x.Judged {
		if err := v.check(Refused, RolledBack); err != nil {
			return err
		}
	}
	return nil
}

// check reports what an index may not say of a version.
func (v Version) check(states ...State) error {
	switch {
	case !digestPattern.MatchString(v.Digest):
		return errors.New("a version has no digest")
	case !slices.Contains(states, v.State):
		return fmt.Errorf("%s has the state %.20q", v.Digest, v.State)
	case v.Size < 0 || v.Size > maxSize:
		return fmt.Errorf("%s has the size %d", v.Digest, v.Size)
	case v != v.bounded():
		return fmt.Errorf("%s has a text that is too long, or a time that is not UTC", v.Digest)
	}
	return nil
}
