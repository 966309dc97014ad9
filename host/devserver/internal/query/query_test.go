package query_test

import (
	"encoding/json"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/relayhost/relayhost/host/devserver/internal/query"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var fields = query.Fields{
	"id": query.UUID, "name": query.Text, "empty": query.Text, "offset": query.Number, "at": query.Time,
	"data": query.Tree, "context": query.Tree,
}

var row = map[string]any{
	"id": "0d9caf29-18b4-4062-bb09-7f573b7ea4df", "name": "a", "offset": int64(7), "at": "2026-01-02T03:04:05Z",
	"data": map[string]any{
		"n": json.Number("20.5"), "i": json.Number("3"), "s": "x", "t": true, "z": nil,
		"big": json.Number("123456789012345678901234567890"), "o": map[string]any{"p": "q"},
		"l": []any{json.Number("1"), map[string]any{"k-2": "v"}},
	},
	"context": map[string]any{"k": "1"},
}

type rowFunc func(path []string) any

func (f rowFunc) Value(path []string) any { return f(path) }

var lookup = rowFunc(func(path []string) any { return query.Walk(row[path[0]], path[1:]) })

func TestMatch(t *testing.T) {
	for text, want := range map[string]bool{
		"":                  true,
		" \t\r\n":           true,
		"name == 'a'":       true,
		"name=='a'":         true,
		"name == 'b'":       false,
		"name != 'b'":       true,
		"name != 'a'":       false,
		"name > 'A'":        true,
		"name <= 'a'":       true,
		"name in ['b','a']": true,
		"name in [ ]":       false,
		"name == 'and'":     false,
		"empty == ''":       false, // null
		"empty != 'x'":      false,
		"empty in ['']":     false,

		"offset > 6":                    true,
		"offset > 7":                    false,
		"offset >= 7":                   true,
		"offset < 8":                    true,
		"offset <= 6.9":                 false,
		"offset == 7.0":                 true,
		"offset == 7e0":                 true,
		"offset > -1":                   true,
		"offset in [1, 7]":              true,
		"offset in [1, 2]":              false,
		"offset > 99999999999999999999": false,

		"id == '0D9CAF29-18B4-4062-BB09-7F573B7EA4DF'": true,
		"at == '2026-01-02T04:04:05.9+01:00'":          true,
		"at < '2026-01-02T03:04:06Z'":                  true,
		"at in ['2026-01-02T03:04:05Z']":               true,

		"data.n >= 20 and data.n < 22":               true,
		"data.i == 3":                                true,
		"data.i == 3.0":                              true,
		"data.big == 123456789012345678901234567890": true,
		"data.big > 123456789012345678901234567889":  true,
		"data.s == 'x'":                              true,
		"data.s == 3":                                false, // another type
		"data.s != 3":                                true,
		"data.s > 3":                                 false,
		"data.i == '3'":                              false,
		"data.t == true":                             true,
		"data.t == false":                            false,
		"data.t > false":                             true,
		"data.t in [true]":                           true,
		"data.z == 'x'":                              false, // null
		"data.z != 'x'":                              false,
		"data.nope != 'x'":                           false,
		"data.o == 'x'":                              false, // neither text nor null
		"data.o != 'x'":                              true,
		"data.o.p == 'q'":                            true,
		"data.o.p.q == 'q'":                          false,
		"data.l.0 == 1":                              true,
		"data.l.1.k-2 == 'v'":                        true,
		"data.l.2 == 1":                              false,
		"data.l.-1 == 1":                             false,
		"data.l.x == 1":                              false,
		"data.s in [3, 'x']":                         true,
		"context.k == '1'":                           true,

		"name == 'a' and offset == 7":                                     true,
		"name == 'a' and offset == 8":                                     false,
		"name == 'b' or offset == 7":                                      true,
		"name == 'b' or offset == 8":                                      false,
		"name == 'a' or name == 'a' and offset == 8":                      false, // from left to right
		"name == 'a' or (name == 'a' and offset == 8)":                    true,
		"((name == 'a') or (name == 'a')) and offset == 8":                false,
		strings.Repeat("(", 64) + "name == 'a'" + strings.Repeat(")", 64): true,
	} {
		q, err := query.Parse(text, fields)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := q.Match(lookup); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, text := range []string{
		`name == "a"`, "name = 'a'", "name like 'a'", "garbage", "name", "name ==", "== 'a'", "'a' == name",
		"name == 'a", "name == a", "name == 'a' and", "and", "name == 'a' name == 'b'", "name == 'a' AND name == 'b'",
		"(name == 'a'", "name == 'a')", "()", "name in 'a'", "name in", "name in ['a'", "name in ['a',]", "name in ['a' 'b']",
		"name in [name]", "data. == 1", "data..n == 1", ".n == 1", "offset > +1", "offset > 1.", "offset > .5", "offset ! 1",
		"name == 'a' & offset == 1", "nope = 1", "name ( 'a'", "é == 1", "\x00", "name == 'a' \x00",
		strings.Repeat("(", 65) + "name == 'a'" + strings.Repeat(")", 65),
		strings.Repeat("(", 32<<10),
		"name == '" + strings.Repeat("a", 256<<10) + "'",
	} {
		if q, err := query.Parse(text, fields); !query.IsSyntax(err) || q != nil {
			t.Errorf("%.40s: got %v, %v", text, q, err)
		}
	}
}

func TestFieldErrors(t *testing.T) {
	for _, text := range []string{
		"nope == 'a'", "name == 'a' or nope == 1", "name.x == 'a'", "data == 'a'", "context in ['a']",
		"name == 1", "name == true", "name in ['a', 1]", "offset == 'a'", "offset in ['1']",
		"id == 'x'", "id in ['0d9caf29-18b4-4062-bb09-7f573b7ea4df', '']", "at > 'yesterday'", "at > 1",
	} {
		if q, err := query.Parse(text, fields); err == nil || query.IsSyntax(err) || q != nil {
			t.Errorf("%s: got %v, %v", text, q, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "name == 'a'", "offset > 6 and (data.n < 1e3 or context.k in ['1', 'x'])", "at <= '2026-01-02T03:04:05Z'",
		"data.t != true", "id in ['0d9caf29-18b4-4062-bb09-7f573b7ea4df']", "((((", "name == \"a\"", "data.l.1.k-2 == -1.5e-300",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := query.Parse(text, fields)
		if (q == nil) == (err == nil) {
			t.Fatalf("got %v, %v", q, err)
		}
		if q == nil {
			return
		}
		if q.Match(lookup) != q.Match(lookup) {
			t.Error("the same query on the same row gave two answers")
		}
		if q.Match(rowFunc(func([]string) any { return nil })) && strings.TrimSpace(text) != "" {
			t.Error("null matched")
		}
		again, err := query.Parse("("+text+")", fields)
		if err == nil && again.Match(lookup) != q.Match(lookup) {
			t.Error("parentheses around the whole changed the answer")
		}
	})
}
