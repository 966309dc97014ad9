package query

import (
	"cmp"
	"encoding/json"
	"math/big"
	"strings"
)

type expr interface {
	match(r Row) bool
}

// both and either are the two ways to join.
type both struct{ left, right expr }

func (e both) match(r Row) bool {
	return e.left.match(r) && e.right.match(r)
}

type either struct{ left, right expr }

func (e either) match(r Row) bool {
	return e.left.match(r) || e.right.match(r)
}

// everything is the empty query.
type everything struct{}

func (everything) match(Row) bool { return true }

type comparison struct {
	path    []string
	op      string
	literal any // string, bool, int64 or json.Number
}

func (c comparison) match(r Row) bool {
	order, comparable, ok := compare(r.Value(c.path), c.literal)
	if !ok {
		return false // null
	}
	switch c.op {
	case "==":
		return comparable && order == 0
	case "!=":
		return !comparable || order != 0
	case ">":
		return comparable && order > 0
	case ">=":
		return comparable && order >= 0
	case "<":
		return comparable && order < 0
	default:
		return comparable && order <= 0
	}
}

type membership struct {
	path  []string
	texts map[string]bool // the list's texts, which may be many
	rest  []any
}

func (m membership) match(r Row) bool {
	v := r.Value(m.path)
	if text, ok := v.(string); ok {
		return m.texts[text]
	}
	for _, literal := range m.rest {
		if order, comparable, ok := compare(v, literal); ok && comparable && order == 0 {
			return true
		}
	}
	return false
}

// compare orders two values. They are comparable when they are of one type;
// not ok when the first is null.
func compare(v, literal any) (order int, comparable, ok bool) {
	switch v := v.(type) {
	case string:
		l, same := literal.(string)
		return strings.Compare(v, l), same, true
	case bool:
		l, same := literal.(bool)
		return cmp.Compare(rank(v), rank(l)), same, true
	case int64:
		if l, same := literal.(int64); same {
			return cmp.Compare(v, l), true, true // with nothing to allocate
		}
	case map[string]any, []any:
		return 0, false, true
	}
	n, ok := number(v)
	if !ok {
		return 0, false, false
	}
	l, same := number(literal)
	if !same {
		return 0, false, true
	}
	return compareNumbers(n, l), true, true
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// compareNumbers is exact for integers of any size; other numbers are compared
// as floats.
func compareNumbers(a, b json.Number) int {
	i, errA := a.Int64()
	j, errB := b.Int64()
	if errA == nil && errB == nil {
		return cmp.Compare(i, j)
	}
	x, okA := new(big.Int).SetString(a.String(), 10)
	y, okB := new(big.Int).SetString(b.String(), 10)
	if okA && okB {
		return x.Cmp(y)
	}
	f, _ := a.Float64()
	g, _ := b.Float64()
	return cmp.Compare(f, g)
}
