package config

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxFaults bounds what one run reports.
const maxFaults = 100

// place is a value of the document.
type place struct {
	path  string
	value any
	at    *outline
	// valid are the keys of the table that holds the value.
	valid []key
}

// key is a table's field at its place. What is absent stands where its table
// does.
func (p place) key(name string, value any, valid []key) place {
	return place{path: join(p.path, name), value: value, at: p.at.field(name), valid: valid}
}

// checker collects faults while kinds check a document.
type checker struct {
	file, dir string
	faults    Faults
}

func (c *checker) fault(p place, problem, hint string) {
	c.faults = append(c.faults, Fault{File: c.file, Line: p.at.line, Key: p.path, Problem: problem, Hint: hint})
}

// illTyped faults a value of another type than its key's.
func (c *checker) illTyped(p place, k kind) {
	hint := k.hint
	if len(p.valid) > 0 {
		hint = clauses(hint, "valid keys: "+strings.Join(names(p.valid), ", "))
	}
	c.fault(p, fmt.Sprintf("must be %s, not %s", article(k.name), article(typeName(p.value))), hint)
}

// clean runs a check and reports whether it found nothing.
func (c *checker) clean(check func()) bool {
	before := len(c.faults)
	check()
	return len(c.faults) == before
}

// resolve takes a relative path from the configuration file's folder.
func (c *checker) resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.dir, path)
}

// err is the faults in the file's order, or nil.
func (c *checker) err() error {
	if len(c.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(c.faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	if more := len(c.faults) - maxFaults; more > 0 {
		c.faults = c.faults[:maxFaults]
		last := &c.faults[maxFaults-1]
		*last = Fault{File: c.file, Line: last.Line, Problem: fmt.Sprintf("and %d faults more", more+1)}
	}
	return c.faults
}

// rule is what several keys of a table must fulfil together. It is asked only
// if none of the keys is at fault by itself.
type rule struct {
	keys   []string
	broken func() (problem, hint string)
}

// table is a kind with a fixed set of keys.
func table(keys []key, rules ...rule) kind {
	k := kind{name: "table", keys: keys}
	k.check = func(c *checker, p place) {
		fields, ok := p.value.(map[string]any)
		if !ok {
			c.illTyped(p, k)
			return
		}
		c.unknown(p, fields, keys)
		bad := make(map[string]bool)
		for _, key := range keys {
			bad[key.name] = !c.clean(func() { c.known(p, fields, key, keys) })
		}
		for _, r := range rules {
			if !slices.ContainsFunc(r.keys, func(name string) bool { return bad[name] }) {
				c.rule(p, fields, r)
			}
		}
	}
	return k
}

// known checks a key's value, or its default if the table has none.
func (c *checker) known(p place, fields map[string]any, k key, valid []key) {
	value, ok := fields[k.name]
	at := p.key(k.name, value, valid)
	if ok {
		k.kind.check(c, at)
	} else if k.need || k.needIf != nil && k.needIf() {
		c.fault(at, "is missing", clauses(k.kind.hint, needs(k.kind.keys)))
	} else if at.value = k.fallback(c); at.value != nil {
		k.kind.check(c, at)
	}
}

// unknown faults the keys that a table may not have.
func (c *checker) unknown(p place, fields map[string]any, valid []key) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if slices.ContainsFunc(valid, func(k key) bool { return k.name == name }) {
			continue
		}
		guess := ""
		if near := nearest(name, names(valid)); near != "" {
			guess = fmt.Sprintf("did you mean %s?", near)
		}
		c.fault(p.key(name, nil, nil), "unknown key", clauses(guess, "valid keys: "+strings.Join(names(valid), ", ")))
	}
}

// rule faults the first key of a broken rule that the table has, or the table.
func (c *checker) rule(p place, fields map[string]any, r rule) {
	problem, hint := r.broken()
	if problem == "" {
		return
	}
	for _, name := range r.keys {
		if value, ok := fields[name]; ok {
			p = p.key(name, value, nil)
			break
		}
	}
	c.fault(p, problem, hint)
}

// clauses joins the parts of a hint that are not empty.
func clauses(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}

// needs says which keys a table cannot do without.
func needs(keys []key) string {
	required := names(slices.DeleteFunc(slices.Clone(keys), func(k key) bool { return !k.need }))
	if len(required) == 0 {
		return ""
	}
	return "it needs " + strings.Join(required, " and ")
}

func names(keys []key) []string {
	all := make([]string, len(keys))
	for i, k := range keys {
		all[i] = k.name
	}
	return all
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// join extends a path by a key, quoted and cut if it is not a plain one.
func join(path, key string) string {
	if !bareKey.MatchString(key) {
		key = strconv.Quote(cut(key))
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func cut(s string) string {
	if len(s) <= longestName {
		return s
	}
	return strings.ToValidUTF8(s[:longestName], "") + "…"
}

// typeName is TOML's name for a decoded value's type.
func typeName(value any) string {
	switch value.(type) {
	case string:
		return "string"
	case int64:
		return "integer"
	case float64:
		return "float"
	case bool:
		return "boolean"
	case time.Time:
		return "date or time"
	case map[string]any:
		return "table"
	case []map[string]any:
		return "array of tables"
	default:
		return "array"
	}
}
