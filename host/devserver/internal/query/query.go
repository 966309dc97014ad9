// Package query is PullEvents' filter language: comparisons of an event's
// fields with literals, joined by `and`, `or` and parentheses. Start with
// [Parse], then [Query.Match].
//
//	name == 'user.created' and (data.n >= 20 or context.k in ['1','2'])
//
// # Contract
//
// A comparison is field, operator (== != > >= < <= in), literal. Literals are
// numbers, text in single quotes without escapes, true and false; `in` takes a
// list of them in brackets. `and` and `or` have the same precedence and are
// taken from left to right. A field that is null or absent matches nothing, not
// even !=.
//
// Neither Parse nor Match panics on any input. A query is at most 256 KiB and its
// parentheses nest at most 64 deep; what exceeds that does not parse.
package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Kind is what a field's values are.
type Kind int

const (
	// Text is compared with text.
	Text Kind = iota
	// Number is compared with numbers.
	Number
	// Time is compared with RFC 3339 text; its values are UTC, cut to seconds,
	// ending in Z.
	Time
	// UUID is compared with text that is a UUID.
	UUID
	// Tree is JSON: it needs a path below it, whose values can be anything.
	Tree
)

// Fields are the fields that a query may name.
type Fields map[string]Kind

// Query is a parsed query; it is never changed and safe for concurrent use.
type Query struct{ root expr }

// Row is what a query is matched with.
type Row interface {
	// Value returns the value at a path, which begins with a field's name: a
	// string, bool, int64, json.Number, or the map or slice of a JSON object or
	// array. Anything else counts as null.
	Value(path []string) any
}

// Match evaluates the query.
func (q *Query) Match(r Row) bool { return q.root.match(r) }

// errSyntax is in every error about the query's form.
var errSyntax = errors.New("query does not parse")

// IsSyntax says whether the error is about the query's form, rather than about
// the fields that it names.
func IsSyntax(err error) bool { return errors.Is(err, errSyntax) }

func syntaxError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errSyntax, fmt.Sprintf(format, args...))
}

// Walk goes down JSON by keys, and by indexes in arrays. What is not there is
// nil.
func Walk(v any, path []string) any {
	for _, step := range path {
		switch node := v.(type) {
		case map[string]any:
			v = node[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(node) {
				return nil
			}
			v = node[i]
		default:
			return nil
		}
	}
	return v
}

// number reads what Match may be given as a number.
func number(v any) (json.Number, bool) {
	switch v := v.(type) {
	case int64:
		return json.Number(strconv.FormatInt(v, 10)), true
	case json.Number:
		return v, true
	}
	return "", false
}
