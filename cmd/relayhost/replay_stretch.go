package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	source "github.com/relayhost/relayhost/host/source/eventrelay"
)

// stretch is what of the log the flags name.
func (c *replayCommand) stretch() (r source.LogRange, err error) {
	r.Topic, r.Query = c.Topic, c.Query
	if c.From != "earliest" {
		if r.From, r.Since, err = place("--from", c.From, ", or earliest"); err != nil {
			return r, err
		}
	}
	if c.To != "" {
		if r.To, r.Until, err = place("--to", c.To, ""); err != nil {
			return r, err
		}
	}
	if r.To > 0 && r.From > r.To || !r.Until.IsZero() && !r.Since.Before(r.Until) {
		return r, errors.New("nothing is between --from and --to: the end is before the beginning")
	}
	return r, nil
}

// place is an offset or a time.
func place(flag, text, more string) (offset int64, at time.Time, err error) {
	offset, err = strconv.ParseInt(text, 10, 64)
	if err == nil && offset >= 1 && offset <= math.MaxInt32 {
		return offset, at, nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if at, err = time.Parse(form, text); err == nil {
			return 0, at, nil
		}
	}
	return 0, at, fmt.Errorf("%s is %q, want an offset like 1000, a time like 2026-01-02T15:04:05Z, a day like 2026-01-02%s", flag, text, more)
}

// percent is a share of 1, written "10%".
type percent float64

// UnmarshalText reads a number of at least 0 with a percent sign.
func (p *percent) UnmarshalText(text []byte) error {
	number, signed := strings.CutSuffix(string(text), "%")
	f, err := strconv.ParseFloat(number, 64)
	if !signed || err != nil || !(f >= 0) || math.IsInf(f, 1) {
		return fmt.Errorf("%q is no percentage like 10%%", text)
	}
	*p = percent(f / 100)
	return nil
}

// String is the percentage as it would be written.
func (p percent) String() string { return strconv.FormatFloat(float64(p)*100, 'g', 6, 64) + "%" }
