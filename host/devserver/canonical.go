package devserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// canonicalObject reads a JSON object and writes it again as EventRelay does:
// no spaces, keys sorted, fractions as short as they can be, integers exact.
func canonicalObject(text string) (string, map[string]any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return "", nil, errors.New("text after the JSON value")
	}
	object, ok := v.(map[string]any)
	if !ok {
		return "", nil, errors.New("not a JSON object")
	}
	if err := normalize(object); err != nil {
		return "", nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b) // sorts the keys
	e.SetEscapeHTML(false)
	if err := e.Encode(object); err != nil {
		return "", nil, err
	}
	return strings.TrimSuffix(b.String(), "\n"), object, nil
}

// normalize rewrites the numbers under v in place and refuses what PostgreSQL
// cannot store.
func normalize(v any) (err error) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if v[k], err = normalized(e); err != nil {
				return err
			}
			if strings.Contains(k, "\x00") {
				return errNUL
			}
		}
	case []any:
		for i, e := range v {
			if v[i], err = normalized(e); err != nil {
				return err
			}
		}
	}
	return nil
}

var errNUL = errors.New("a NUL character")

func normalized(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		return shortest(v)
	case string:
		if strings.Contains(v, "\x00") {
			return nil, errNUL
		}
	}
	return v, normalize(v)
}

// shortest keeps an integer and writes any other number as the shortest text
// that reads as the same float: 2.50 is 2.5, and 1.0 stays 1.0.
func shortest(n json.Number) (json.Number, error) {
	if !strings.ContainsAny(n.String(), ".eE") {
		return n, nil
	}
	f, err := n.Float64()
	if err != nil {
		return "", fmt.Errorf("number %s does not fit a float", n)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		return json.Number(strconv.FormatFloat(f, 'e', -1, 64)), nil
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return json.Number(text), nil
}
