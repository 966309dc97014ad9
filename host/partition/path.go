package partition

import (
	"encoding/json"
	"strings"
	"unsafe"

	"github.com/tidwall/gjson"
)

// parsePath splits a path at its dots.
func parsePath(text string) (keys []string, err error) {
	var key strings.Builder
	for i := 0; i <= len(text); i++ {
		switch {
		case i == len(text) || text[i] == '.':
			if key.Len() == 0 {
				return nil, ErrPath
			}
			keys = append(keys, key.String())
			key.Reset()
		case text[i] == '\\':
			if i++; i == len(text) || text[i] != '.' && text[i] != '\\' {
				return nil, ErrPath
			}
			fallthrough
		default:
			key.WriteByte(text[i])
		}
	}
	return keys, nil
}

// find is the value that lies under a path of keys in a JSON object.
//
// The check before is the standard library's, since gjson's own has no bound
// to its recursion: a few megabytes of brackets end the process. The keys are
// compared one by one, and no path given to gjson, since in a path of its own
// even escaped characters have a meaning in arrays.
func find(data []byte, path []string) string {
	if !json.Valid(data) {
		return ""
	}
	at := gjson.Parse(unsafe.String(unsafe.SliceData(data), len(data))) //nolint:gosec // an event is never written to; the value is copied
	for _, key := range path {
		at = member(at, key)
	}
	switch at.Type {
	case gjson.String:
		return clone(at.Str)
	case gjson.Number, gjson.True, gjson.False:
		return clone(at.Raw)
	}
	return ""
}

// member is an object's value of a key.
func member(object gjson.Result, key string) (found gjson.Result) {
	if !object.IsObject() {
		return found
	}
	object.ForEach(func(k, value gjson.Result) bool {
		if k.Str == key {
			found = value
			return false
		}
		return true
	})
	return found
}

func clone(value string) string { return strings.Clone(value[:min(len(value), longest)]) }
