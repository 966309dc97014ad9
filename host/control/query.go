package control

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// parameters are those of a list. Each may be there once, but for id.
var parameters = []struct {
	name string
	set  func(q *Query, value string) error
	get  func(q *Query) string
}{
	{"pipeline", func(q *Query, v string) error { q.Pipeline = v; return nil }, func(q *Query) string { return q.Pipeline }},
	{"plugin", func(q *Query, v string) error { q.Plugin = v; return nil }, func(q *Query) string { return q.Plugin }},
	{"kind", func(q *Query, v string) error { q.Kind = v; return nil }, func(q *Query) string { return q.Kind }},
	{"since", func(q *Query, v string) error { return setTime(&q.Since, v) }, func(q *Query) string { return timeText(q.Since) }},
	{"until", func(q *Query, v string) error { return setTime(&q.Until, v) }, func(q *Query) string { return timeText(q.Until) }},
	{"after", func(q *Query, v string) error { q.After = v; return nil }, func(q *Query) string { return q.After }},
	{"limit", func(q *Query, v string) error { return setNumber(&q.Limit, v) }, func(q *Query) string { return numberText(q.Limit) }},
	{"whole", func(q *Query, v string) error { return setTrue(&q.Whole, v) }, func(q *Query) string { return trueText(q.Whole) }},
}

func parseQuery(raw string) (q Query, err error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, fmt.Errorf("the parameters cannot be read: %w", err)
	}
	q.IDs = values["id"]
	delete(values, "id")
	names := []string{"id"}
	for _, p := range parameters {
		names = append(names, p.name)
		given := values[p.name]
		delete(values, p.name)
		if len(given) > 1 {
			return q, fmt.Errorf("parameter %s is given twice", p.name)
		}
		if len(given) == 0 {
			continue
		}
		if err := p.set(&q, given[0]); err != nil {
			return q, fmt.Errorf("parameter %s is %.64q, %w", p.name, given[0], err)
		}
	}
	for name := range values {
		return q, fmt.Errorf("unknown parameter %.64q\nhint: the parameters are %s", name, strings.Join(names, ", "))
	}
	if len(q.After) > maxText {
		return q, fmt.Errorf("parameter after has more than %d bytes", maxText)
	}
	return q, q.check()
}

// values is the query as parameters.
func (q *Query) values() url.Values {
	values := url.Values{}
	for _, p := range parameters {
		if text := p.get(q); text != "" {
			values.Set(p.name, text)
		}
	}
	if len(q.IDs) > 0 {
		values["id"] = q.IDs
	}
	return values
}

func noParameters(r *http.Request) error {
	if r.URL.RawQuery != "" {
		return badRequest(fmt.Errorf("%s takes no parameters", r.URL.Path))
	}
	return nil
}

func setTime(t *time.Time, text string) (err error) {
	if *t, err = time.Parse(time.RFC3339Nano, text); err != nil {
		return fmt.Errorf("want a date and time such as %s", time.RFC3339)
	}
	return nil
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

func setNumber(n *int, text string) (err error) {
	if *n, err = strconv.Atoi(text); err != nil {
		return errors.New("want a number")
	}
	return nil
}

func numberText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func setTrue(b *bool, text string) error {
	if text != "true" {
		return errors.New("want true, or nothing at all")
	}
	*b = true
	return nil
}

func trueText(b bool) string {
	if b {
		return "true"
	}
	return ""
}
