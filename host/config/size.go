package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// units are what a size is written in, the largest first.
var units = []struct {
	name string
	bits uint
}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"B", 0}}

// size is a number of bytes, written with its unit.
func size(dst *int, low, high int) kind {
	bounds := binarySize(low) + " to " + binarySize(high)
	k := kind{name: "size", bounds: bounds, hint: `write a whole number and its unit in quotes, like "64KiB", "256MiB" or "1GiB"`}
	return scalar(k, func(_ *checker, v string) string {
		n, ok := parseSize(v)
		if !ok {
			return "is not a size"
		}
		if n < low || n > high {
			return fmt.Sprintf("must be %s, not %s", bounds, binarySize(n))
		}
		*dst = n
		return ""
	})
}

func parseSize(text string) (int, bool) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 63)
		if err != nil || n > math.MaxInt64>>u.bits {
			return 0, false
		}
		return int(n << u.bits), true //nolint:gosec // bounded
	}
	return 0, false
}

// binarySize writes a size in the largest unit that it is a multiple of.
func binarySize(n int) string {
	for _, u := range units {
		if n>>u.bits<<u.bits == n && n>>u.bits > 0 {
			return fmt.Sprintf("%d%s", n>>u.bits, u.name)
		}
	}
	return "0B"
}
