package query

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxDepth bounds how deep parentheses nest.
const maxDepth = 64

// Parse reads a query over the fields. An empty query matches everything. The
// error is either IsSyntax or says which field is unknown or has another type.
func Parse(text string, fields Fields) (*Query, error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	if len(tokens) == 0 {
		return &Query{root: everything{}}, nil
	}
	p := &parser{tokens: tokens}
	root, err := p.join(0)
	if err != nil {
		return nil, err
	}
	if p.peek().kind != end {
		return nil, syntaxError("unexpected %q", p.peek().text)
	}
	// Only now: what does not parse is never a fault of its fields.
	if err := p.bind(fields); err != nil {
		return nil, err
	}
	return &Query{root: root}, nil
}

type parser struct {
	tokens []token
	leaves []leaf
}

// leaf is a comparison whose field is still to be checked; literals are shared
// with the expression.
type leaf struct {
	path     []string
	literals []any
	set      func([]any)
}

func (p *parser) peek() token {
	if len(p.tokens) == 0 {
		return token{}
	}
	return p.tokens[0]
}

func (p *parser) next() token {
	t := p.peek()
	if t.kind != end {
		p.tokens = p.tokens[1:]
	}
	return t
}

// accept takes the next token if it is this one.
func (p *parser) accept(kind tokenKind, text string) bool {
	if p.peek() != (token{kind, text}) {
		return false
	}
	p.next()
	return true
}

// join reads terms joined by and and or, from left to right.
func (p *parser) join(depth int) (expr, error) {
	left, err := p.term(depth)
	if err != nil {
		return nil, err
	}
	for {
		and := p.accept(word, "and")
		if !and && !p.accept(word, "or") {
			return left, nil
		}
		right, err := p.term(depth)
		if err != nil {
			return nil, err
		}
		if and {
			left = both{left, right}
		} else {
			left = either{left, right}
		}
	}
}

func (p *parser) term(depth int) (expr, error) {
	if !p.accept(operator, "(") {
		return p.comparison()
	}
	if depth == maxDepth {
		return nil, syntaxError("parentheses nest deeper than %d", maxDepth)
	}
	e, err := p.join(depth + 1)
	if err != nil {
		return nil, err
	}
	if !p.accept(operator, ")") {
		return nil, syntaxError("a parenthesis is not closed")
	}
	return e, nil
}

var comparisonOperators = []string{"==", "!=", ">", ">=", "<", "<="}

func (p *parser) comparison() (expr, error) {
	field := p.next()
	if field.kind != word {
		return nil, syntaxError("expected a field, got %q", field.text)
	}
	path := strings.Split(field.text, ".")
	if slices.Contains(path, "") {
		return nil, syntaxError("field %q has an empty part", field.text)
	}
	if p.accept(word, "in") {
		return p.membership(path)
	}
	op := p.next()
	if op.kind != operator || !slices.Contains(comparisonOperators, op.text) {
		return nil, syntaxError("expected an operator, got %q", op.text)
	}
	literal, err := p.literal()
	if err != nil {
		return nil, err
	}
	c := &comparison{path: path, op: op.text}
	p.leaves = append(p.leaves, leaf{path, []any{literal}, func(l []any) { c.literal = l[0] }})
	return c, nil
}

func (p *parser) membership(path []string) (expr, error) {
	if !p.accept(operator, "[") {
		return nil, syntaxError("expected a list after in")
	}
	var list []any
	for !p.accept(operator, "]") {
		if len(list) > 0 && !p.accept(operator, ",") {
			return nil, syntaxError("expected a comma, got %q", p.peek().text)
		}
		literal, err := p.literal()
		if err != nil {
			return nil, err
		}
		list = append(list, literal)
	}
	m := &membership{path: path, texts: map[string]bool{}}
	p.leaves = append(p.leaves, leaf{path, list, m.set})
	return m, nil
}

func (p *parser) literal() (any, error) {
	t := p.next()
	switch {
	case t.kind == quoted:
		return t.text, nil
	case t.kind == numeral:
		if i, err := strconv.ParseInt(t.text, 10, 64); err == nil {
			return i, nil
		}
		return json.Number(t.text), nil
	case t == token{word, "true"}:
		return true, nil
	case t == token{word, "false"}:
		return false, nil
	}
	return nil, syntaxError("expected a value, got %q", t.text)
}

func (m *membership) set(literals []any) {
	for _, l := range literals {
		if text, ok := l.(string); ok {
			m.texts[text] = true
		} else {
			m.rest = append(m.rest, l)
		}
	}
}

// bind checks each comparison against its field and hands it its literals.
func (p *parser) bind(fields Fields) error {
	for _, l := range p.leaves {
		kind, ok := fields[l.path[0]]
		if !ok || (kind == Tree) != (len(l.path) > 1) {
			return fmt.Errorf("query: no field %q", strings.Join(l.path, "."))
		}
		for i, literal := range l.literals {
			var err error
			if l.literals[i], err = kind.convert(literal); err != nil {
				return fmt.Errorf("query: field %s: %w", l.path[0], err)
			}
		}
		l.set(l.literals)
	}
	return nil
}

// convert makes a literal comparable with the kind's values.
func (k Kind) convert(literal any) (any, error) {
	text, isText := literal.(string)
	_, isNumber := number(literal)
	switch {
	case k == Tree:
		return literal, nil
	case (k == Number) != isNumber || (k != Number) != isText:
		return nil, fmt.Errorf("cannot be compared with %v", literal)
	case k == UUID:
		return canonicalUUID(text)
	case k == Time:
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, err
		}
		return t.UTC().Format("2006-01-02T15:04:05Z"), nil
	}
	return literal, nil
}
