package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// freeform is a table of anything, kept as a JSON object: the keys sorted,
// dates and times as RFC 3339 text.
func freeform(dst *json.RawMessage) kind {
	k := kind{name: "table"}
	k.check = func(c *checker, p place) {
		if _, ok := p.value.(map[string]any); !ok {
			c.illTyped(p, k)
			return
		}
		var plain any
		if c.clean(func() { plain = c.plain(p) }) {
			*dst = encode(plain)
		}
	}
	return k
}

// encode writes what plain returned, of which every value has a JSON form.
func encode(plain any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(plain)
	return bytes.TrimSpace(b.Bytes())
}

// plain is a value that JSON can hold. What it cannot hold is a fault.
func (c *checker) plain(p place) any {
	switch v := p.value.(type) {
	case map[string]any:
		fields := make(map[string]any, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			fields[name] = c.plain(p.key(name, v[name], nil))
		}
		return fields
	case []map[string]any:
		return plainItems(c, p, v)
	case []any:
		return plainItems(c, p, v)
	case time.Time:
		return v.Format(timeLayout(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			c.fault(p, fmt.Sprintf("is %v, which JSON cannot hold", v), "")
			return nil
		}
	}
	return p.value
}

func plainItems[T any](c *checker, p place, values []T) []any {
	items := make([]any, len(values))
	for i, v := range values {
		items[i] = c.plain(place{path: fmt.Sprintf("%s[%d]", p.path, i), value: v, at: p.at.item(i)})
	}
	return items
}

// timeLayout is what of RFC 3339 the file gave; the TOML library tells by the
// zone's name.
func timeLayout(t time.Time) string {
	switch t.Location().String() {
	case "datetime-local":
		return "2006-01-02T15:04:05.999999999"
	case "date-local":
		return time.DateOnly
	case "time-local":
		return "15:04:05.999999999"
	default:
		return time.RFC3339Nano
	}
}
