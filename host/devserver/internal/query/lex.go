package query

import (
	"regexp"
	"strings"
)

// A token is a piece of the query: its kind and its text.
type token struct {
	kind tokenKind
	text string
}

type tokenKind int

const (
	end tokenKind = iota
	word
	operator // also a bracket, a parenthesis or a comma
	quoted
	numeral
)

// maxQuery bounds a query, in bytes.
const maxQuery = 256 << 10

var lexemes = regexp.MustCompile(`^(?:` +
	`([A-Za-z_][A-Za-z0-9_.-]*)` +
	`|(==|!=|>=|<=|>|<|\(|\)|\[|\]|,)` +
	`|'([^']*)'` +
	`|(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)` +
	`)`)

func lex(text string) (tokens []token, err error) {
	if len(text) > maxQuery {
		return nil, syntaxError("it is longer than %d bytes", maxQuery)
	}
	for rest := strings.TrimLeft(text, spaces); rest != ""; rest = strings.TrimLeft(rest, spaces) {
		m := lexemes.FindStringSubmatchIndex(rest)
		if m == nil {
			return nil, syntaxError("unexpected text at byte %d", len(text)-len(rest))
		}
		for kind := word; kind <= numeral; kind++ {
			if from, to := m[2*kind], m[2*kind+1]; from >= 0 {
				tokens = append(tokens, token{kind, rest[from:to]})
			}
		}
		rest = rest[m[1]:]
	}
	return tokens, nil
}

const spaces = " \t\r\n"
