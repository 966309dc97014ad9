package config

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	topicPattern = regexp.MustCompile(`^[^\s:\x00-\x1f\x7f]+(:[^\s:\x00-\x1f\x7f]+)?$`)
	queryPattern = regexp.MustCompile(`^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*\S[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$`)
	shardPattern = regexp.MustCompile(`^([1-9][0-9]{0,3})/([1-9][0-9]{0,3})$`)
)

// longestQuery bounds a query, in bytes.
const longestQuery = 64 << 10

// topic is NAME or NAME:IDENTIFIER.
func topic(dst *string) kind {
	return matching(kind{name: "topic", hint: "a topic is NAME or NAME:IDENTIFIER, without white space"}, dst, topicPattern, 300)
}

func query(dst *string) kind {
	return matching(kind{name: "query", hint: "a query compares fields, like \"name == 'user.created' and data.n > 2\", with texts in single quotes"},
		dst, queryPattern, longestQuery)
}

// start is where to begin to read a log: a word, an offset or a time.
func start(dst *Start) kind {
	k := kind{name: "start", hint: `write "earliest", "latest", an offset like 1000, or a time like 2026-01-02T15:04:05Z`}
	k.check = func(c *checker, p place) {
		switch v := p.value.(type) {
		case time.Time:
			*dst = Start{Time: v}
			return
		case int64:
			if v >= 1 && v <= math.MaxInt32 {
				*dst = Start{Offset: v}
				return
			}
		case string:
			if v == "earliest" || v == "latest" {
				*dst = Start{Latest: v == "latest"}
				return
			}
			if t, err := time.Parse(time.RFC3339, v); err == nil { // in quotes means the same
				*dst = Start{Time: t}
				return
			}
		default:
			c.illTyped(p, k)
			return
		}
		c.fault(p, "is not a start", k.hint)
	}
	return k
}

// shard is one of several parts, "2/3".
func shard(dst *Shard) kind {
	k := kind{name: "shard", bounds: `"1/1" to "1024/1024"`, hint: `write which one and of how many, like "2/3"`}
	return scalar(k, func(_ *checker, v string) string {
		parts := shardPattern.FindStringSubmatch(v)
		if parts == nil {
			return "is not a shard"
		}
		index, _ := strconv.Atoi(parts[1])
		count, _ := strconv.Atoi(parts[2])
		if index > count || count > maxConcurrency {
			return fmt.Sprintf("must be from 1/%d to %d/%d, and of at most %d", count, count, count, maxConcurrency)
		}
		*dst = Shard{Index: index, Count: count}
		return ""
	})
}

// besideFile is a path that is called as the configuration file, but for its
// ending.
type besideFile string

// of is the path for a configuration file.
func (b besideFile) of(file string) string {
	base := filepath.Base(file)
	return strings.TrimSuffix(base, filepath.Ext(base)) + string(b)
}
