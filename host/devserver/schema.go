package devserver

import (
	"errors"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemas holds the compiled schemas of one call, by their text.
type schemas map[string]schema

type schema struct {
	text     string // canonical
	compiled *jsonschema.Schema
}

// check validates data with the schema in text and returns the schema's own
// canonical text: `null` when there is none.
func (s schemas) check(text string, data map[string]any) (string, error) {
	if text == "" || text == "null" {
		return "null", nil
	}
	known, ok := s[text]
	if !ok {
		var err error
		if known, err = compile(text); err != nil {
			return "", err
		}
		s[text] = known
	}
	return known.text, known.compiled.Validate(data)
}

// schemaURL is only a name: nothing is loaded.
const schemaURL = "event:data_schema"

func compile(text string) (schema, error) {
	canonical, doc, err := canonicalObject(text)
	if err != nil {
		return schema{}, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7) // the newest that the real server knows
	c.UseLoader(noLoader{})
	if err := c.AddResource(schemaURL, doc); err != nil {
		return schema{}, err
	}
	compiled, err := c.Compile(schemaURL)
	return schema{text: canonical, compiled: compiled}, err
}

// noLoader refuses every reference that leaves the schema: a publisher must not
// make the server read files or call other hosts.
type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("a schema may not refer to another document")
}
