package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// decode reads TOML into maps, and says where everything stands.
func decode(data []byte) (document map[string]any, where *outline, fault *Fault) {
	if len(data) > maxFile {
		return nil, nil, &Fault{Line: 1, Problem: errTooLarge.Error()}
	}
	text := string(data)
	garbled := func(line string) bool { return !utf8.ValidString(line) }
	if i := slices.IndexFunc(strings.Split(text, "\n"), garbled); i >= 0 {
		return nil, nil, &Fault{Line: i + 1, Problem: "not UTF-8"}
	}
	where, tooDeep := scan(text)
	if tooDeep > 0 {
		return nil, nil, &Fault{Line: tooDeep, Problem: fmt.Sprintf("nests deeper than %d", maxDepth)}
	}
	if _, err := toml.Decode(text, &document); err != nil {
		return nil, nil, syntaxFault(text, err)
	}
	return document, where, nil
}

// syntaxFault is a fault in the library's words. They quote the text at fault,
// which may be a secret without its quotation marks, so that is left out.
func syntaxFault(text string, err error) *Fault {
	fault := &Fault{Line: 1, Problem: "not TOML"}
	var parse toml.ParseError
	if !errors.As(err, &parse) {
		return fault
	}
	fault.Line = lineOf(text, parse.Position)
	line := strings.Split(text, "\n")[fault.Line-1]
	if strings.Contains(parse.LastKey+line, "token") {
		fault.Problem = "not TOML (what is wrong is not shown, since it may hold a secret)"
		fault.Hint = secretHint
		return fault
	}
	fault.Problem = "not TOML: " + quotation.ReplaceAllString(parse.Message, `"…"`)
	return fault
}

// lineOf is the line of a position's last byte. The library's own count is one
// too many where the end of a line is at fault, and may be 0 at a file's end.
func lineOf(text string, at toml.Position) int {
	text = strings.TrimPrefix(text, "\ufeff")
	last := min(max(at.Start+at.Len-1, 0), len(text))
	return 1 + strings.Count(text[:last], "\n")
}

// quotation is what the library quotes, from two characters on.
var quotation = regexp.MustCompile(`"(?:\\.|[^"\\]){2,}"`)
