package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/relayhost/relayhost/host/partition"
)

// pipelines is the [[pipeline]] tables.
func pipelines(dst *[]Pipeline) kind {
	k := kind{name: "array of tables", keys: pipelineKeys(&Pipeline{}), hint: "begin each pipeline with [[pipeline]]"}
	k.check = func(c *checker, p place) {
		tables, ok := tablesOf(p.value)
		if !ok {
			c.illTyped(p, k)
			return
		}
		if len(tables) == 0 || len(tables) > maxPipelines {
			c.fault(p, fmt.Sprintf("must be 1 to %d tables, not %d", maxPipelines, len(tables)), k.hint)
			return
		}
		*dst = make([]Pipeline, len(tables))
		labels := label(tables)
		for i, fields := range tables {
			one := place{path: p.path + labels[i], value: fields, at: p.at.item(i)}
			pipeline := &(*dst)[i]
			table(pipelineKeys(pipeline), pipelineRules(pipeline)...).check(c, one)
		}
		c.unique(p, tables)
	}
	return k
}

// tablesOf is an array of tables, in either of TOML's notations.
func tablesOf(value any) ([]map[string]any, bool) {
	items, ok := value.([]any)
	if !ok {
		tables, ok := value.([]map[string]any)
		return tables, ok
	}
	tables := make([]map[string]any, len(items))
	for i, item := range items {
		if tables[i], ok = item.(map[string]any); !ok {
			return nil, false
		}
	}
	return tables, true
}

// label tells the tables of an array apart: by name, or else by number; not at
// all if there is only one.
func label(tables []map[string]any) []string {
	labels := make([]string, len(tables))
	if len(tables) == 1 {
		return labels
	}
	uses := make(map[any]int)
	for _, fields := range tables {
		name, _ := fields["name"].(string)
		uses[name]++
	}
	for i, fields := range tables {
		labels[i] = fmt.Sprintf("[#%d]", i+1)
		name, _ := fields["name"].(string)
		if uses[name] == 1 && isName(name) {
			labels[i] = "[" + name + "]"
		}
	}
	return labels
}

func isName(s string) bool { return len(s) <= longestName && namePattern.MatchString(s) }

// unique faults every pipeline that has the name of one before it.
func (c *checker) unique(p place, tables []map[string]any) {
	first := make(map[string]int)
	for i, fields := range tables {
		name, _ := fields["name"].(string)
		if !isName(name) {
			continue
		}
		at := p.at.item(i).field("name")
		if line, taken := first[name]; taken {
			path := fmt.Sprintf("%s[#%d].name", p.path, i+1)
			c.fault(place{path: path, at: at}, fmt.Sprintf("%s is the name of another pipeline, on line %d", name, line), "")
			continue
		}
		first[name] = at.line
	}
}

// batchers is the [pipeline.batchers.<name>] tables.
func batchers(dst *[]Batcher, by **partition.Field) kind {
	one := key{name: "<name>", kind: table(batcherKeys(&Batcher{}, by)),
		doc: "One batcher. Its " + nameHint + "."}
	k := kind{name: "table", keys: []key{one}, hint: "begin each batcher with [pipeline.batchers.<name>]"}
	k.check = func(c *checker, p place) {
		tables, ok := p.value.(map[string]any)
		if !ok {
			c.illTyped(p, k)
			return
		}
		if len(tables) > maxBatchers {
			c.fault(p, fmt.Sprintf("must be at most %d tables, not %d", maxBatchers, len(tables)), "")
			return
		}
		for _, called := range slices.Sorted(maps.Keys(tables)) {
			var b Batcher
			one := p.key(called, tables[called], nil)
			name(&b.Name).check(c, place{path: one.path, value: called, at: one.at})
			table(batcherKeys(&b, by)).check(c, one)
			*dst = append(*dst, b)
		}
	}
	return k
}
