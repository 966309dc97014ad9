package config

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relayhost/relayhost/host/partition"
)

// kind is a type of value: how the documentation calls it, and how it is
// checked and stored.
type kind struct {
	name   string
	bounds string
	// hint says how to write such a value.
	hint string
	// keys are what a table of this kind may hold, if that is fixed.
	keys  []key
	check func(c *checker, p place)
}

// scalar is a kind of TOML's type T. take stores the value, or returns what is
// wrong with it.
func scalar[T any](k kind, take func(c *checker, v T) (problem string)) kind {
	k.check = func(c *checker, p place) {
		v, ok := p.value.(T)
		if !ok {
			c.illTyped(p, k)
			return
		}
		if problem := take(c, v); problem != "" {
			c.fault(p, problem, k.hint)
		}
	}
	return k
}

func boolean(dst *bool) kind {
	return scalar(kind{name: "boolean"}, func(_ *checker, v bool) string {
		*dst = v
		return ""
	})
}

func integer(dst *int, low, high int) kind {
	bounds := fmt.Sprintf("%d to %d", low, high)
	return scalar(kind{name: "integer", bounds: bounds}, func(_ *checker, v int64) string {
		if v < int64(low) || v > int64(high) {
			return fmt.Sprintf("must be %s, not %d", bounds, v)
		}
		*dst = int(v)
		return ""
	})
}

// number is a float, or an integer, which means the same.
func number(dst *float64, low, high float64) kind {
	bounds := fmt.Sprintf("%v to %v", low, high)
	k := kind{name: "number", bounds: bounds}
	k.check = func(c *checker, p place) {
		v, ok := p.value.(float64)
		if n, whole := p.value.(int64); whole {
			v, ok = float64(n), true
		}
		switch {
		case !ok:
			c.illTyped(p, k)
		case v >= low && v <= high: // nan is not
			*dst = v
		default:
			c.fault(p, fmt.Sprintf("must be %s, not %v", bounds, v), "")
		}
	}
	return k
}

func duration(dst *time.Duration, low, high time.Duration) kind {
	bounds := short(low) + " to " + short(high)
	k := kind{name: "duration", bounds: bounds, hint: `write a number and its unit in quotes, like "2s"`}
	return scalar(k, func(_ *checker, v string) string {
		d, err := time.ParseDuration(v)
		if err != nil {
			return "is not a duration"
		}
		if d < low || d > high {
			return fmt.Sprintf("must be %s, not %s", bounds, short(d))
		}
		*dst = d
		return ""
	})
}

// short is a duration as people write it: 1m for 1m0s.
func short(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// oneOf is one of a few words.
func oneOf(dst *string, words ...string) kind {
	must := `"` + strings.Join(words, `" or "`) + `"`
	return scalar(kind{name: "string", bounds: must}, func(_ *checker, v string) string {
		if !slices.Contains(words, v) {
			return "must be " + must
		}
		*dst = v
		return ""
	})
}

// matching is a text of at most longest bytes that matches a pattern.
func matching(k kind, dst *string, pattern *regexp.Regexp, longest int) kind {
	return scalar(k, func(_ *checker, v string) string {
		if len(v) > longest || !pattern.MatchString(v) {
			return "is not " + article(k.name)
		}
		*dst = v
		return ""
	})
}

const (
	longestName = 64
	nameBounds  = "1 to 64 of a-z, 0-9, _ and -"
	nameHint    = "name is " + nameBounds
)

var (
	namePattern = regexp.MustCompile(`^[a-z0-9_-]+$`)
	uuidPattern = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	hostPattern = regexp.MustCompile(`^[0-9A-Za-z_]([0-9A-Za-z_.-]*[0-9A-Za-z.])?$`)
	pathPattern = regexp.MustCompile(`^[^\x00-\x1f\x7f]+$`)
)

func name(dst *string) kind {
	return matching(kind{name: "name", bounds: nameBounds, hint: "a " + nameHint}, dst, namePattern, longestName)
}

func uuid(dst *string) kind {
	k := matching(kind{name: "UUID", hint: "a UUID is 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12"}, dst, uuidPattern, 36)
	return k.then(func(*checker) { *dst = strings.ToLower(*dst) }).orElsewhere(func(text string) string {
		if !uuidPattern.MatchString(text) {
			return "holds no UUID"
		}
		*dst = strings.ToLower(text)
		return ""
	})
}

// host is a name or an IP address. A pattern cannot tell an IPv6 address from
// a name and a port: feed:50051.
func host(dst *string) kind {
	k := kind{name: "host", hint: "write a name or an address only; the port is a key of its own"}
	return scalar(k, func(_ *checker, v string) string {
		if !isHost(v) {
			return "is not a host"
		}
		*dst = v
		return ""
	})
}

func isHost(v string) bool {
	_, err := netip.ParseAddr(v)
	return len(v) <= 253 && (err == nil || hostPattern.MatchString(v))
}

// partitionBy is a field of events: a text, or what another key has made of one.
func partitionBy(dst **partition.Field) kind {
	k := kind{name: "field", hint: "valid fields: " + partition.Fields}
	k.check = func(c *checker, p place) {
		switch v := p.value.(type) {
		case *partition.Field:
			*dst = v
		case string:
			field, err := partition.Parse(v)
			if err != nil {
				c.fault(p, "is "+err.Error(), k.hint)
				field = new(partition.Field) // so that nobody says that there is none
			}
			*dst = field
		default:
			c.illTyped(p, k)
		}
	}
	return k
}

// address is a host and a port to listen on.
func address(dst *string) kind {
	k := kind{name: "HOST:PORT", hint: `write a host and a port, like "127.0.0.1:9464", or "[::1]:9464"`}
	return scalar(k, func(_ *checker, v string) string {
		name, port, err := net.SplitHostPort(v)
		_, badPort := strconv.ParseUint(port, 10, 16)
		if err != nil || badPort != nil || !isHost(name) {
			return "is not a HOST:PORT"
		}
		*dst = v
		return ""
	})
}

// Exposed reports whether an address to listen on may be reached from elsewhere.
func Exposed(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil || host == "localhost" {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err != nil || !addr.Unmap().IsLoopback()
}

// path is a file's path, taken from the configuration file's folder.
func path(dst *string) kind {
	k := matching(kind{name: "path", hint: "a path is 1 to 4096 bytes without control characters"}, dst, pathPattern, 4096)
	return k.then(func(c *checker) { *dst = c.resolve(*dst) })
}

// then does something more after a check without a fault.
func (k kind) then(do func(*checker)) kind {
	check := k.check
	k.check = func(c *checker, p place) {
		if c.clean(func() { check(c, p) }) {
			do(c)
		}
	}
	return k
}

// article puts a or an before a kind's name.
func article(name string) string {
	if strings.ContainsRune("aeio", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}
