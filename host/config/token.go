package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/relayhost/relayhost/host/secret"
)

const (
	secretHint  = `write a string in quotes, { env = "NAME" } or { file = "PATH" }`
	longestText = 8192
)

var (
	secretPattern = regexp.MustCompile(`^[\x21-\x7e]+$`)
	envPattern    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// hushed is a secret: a text in the file, in the environment or in a file of
// its own. It must be fit for an HTTP header. No fault shows any of it.
func hushed(dst *secret.Text) kind {
	k := kind{name: "secret", hint: secretHint}
	use := func(text string) string { return keep(dst, text) }
	return scalar(k, func(_ *checker, v string) string { return use(v) }).orElsewhere(use)
}

// orElsewhere lets a text be in the environment or in a file of its own; use
// takes it, or returns what is wrong with it.
func (k kind) orElsewhere(use func(text string) (problem string)) kind {
	literal := k.check
	k.check = func(c *checker, p place) {
		if _, ok := p.value.(map[string]any); ok {
			reference(use).check(c, p)
			return
		}
		literal(c, p)
	}
	return k
}

// keep stores a secret, or returns what is wrong with it.
func keep(dst *secret.Text, text string) (problem string) {
	switch {
	case text == "":
		return "is empty"
	case len(text) > longestText:
		return fmt.Sprintf("is longer than %d bytes", longestText)
	case !secretPattern.MatchString(text):
		return "holds white space or characters beyond ASCII"
	}
	*dst = secret.New(text)
	return ""
}

// reference is a table that says where a text is.
func reference(use func(text string) (problem string)) kind {
	var variable, file string
	env := matching(kind{name: "variable's name", hint: "a variable's name is of letters, digits and _"}, &variable, envPattern, 255)
	keys := []key{
		{name: "env", kind: fetched(env, use, &variable, "environment variable", fromEnv)},
		{name: "file", kind: fetched(path(&file), use, &file, "file", fromFile)},
	}
	return table(keys, rule{[]string{"env", "file"}, func() (string, string) {
		if (variable == "") == (file == "") {
			return "must have one of env and file", secretHint
		}
		return "", ""
	}})
}

// fetched is a kind whose value names where a text is, and fetches it.
func fetched(
	k kind, use func(text string) (problem string),
	from *string, what string, fetch func(string) (string, error),
) kind {
	check := k.check
	k.check = func(c *checker, p place) {
		if !c.clean(func() { check(c, p) }) {
			return
		}
		text, err := fetch(*from)
		if err != nil {
			c.faults = append(c.faults, Fault{
				File: c.file, Line: p.at.line, Key: p.path, Err: err,
				Problem: fmt.Sprintf("%s %s %v", what, *from, err),
			})
			return
		}
		if problem := use(text); problem != "" {
			c.fault(p, fmt.Sprintf("%s %s %s", what, *from, problem), "")
		}
	}
	return k
}

// Why a secret could not be had.
var (
	errNotSet     = errors.New("is not set")
	errNotRegular = errors.New("not a regular file")
)

func fromEnv(name string) (string, error) {
	text, ok := os.LookupEnv(name)
	if !ok {
		return "", errNotSet
	}
	return text, nil
}

// fromFile is a file's text without the line end that editors add.
func fromFile(name string) (string, error) {
	data, err := head(name, longestText+3)
	if err != nil {
		return "", fmt.Errorf("cannot be read: %w", pathless(err))
	}
	text := strings.TrimSuffix(string(data), "\n")
	return strings.TrimSuffix(text, "\r"), nil
}

// head is the first n bytes of a regular file. Another is not opened, since
// that may block.
func head(name string, n int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := os.Open(name) //nolint:gosec // the configuration names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, n))
}
