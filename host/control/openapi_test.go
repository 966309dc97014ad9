package control_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/relayhost/relayhost/host/control"
)

func document(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../../docs/openapi.yaml")
	must(t, err)
	must(t, doc.Validate(t.Context()))
	return doc
}

// docs/openapi.yaml has what can be asked, no more and no less.
func TestDocumentHasTheRoutes(t *testing.T) {
	var documented []string
	for path, item := range document(t).Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	slices.Sort(documented)
	if there := slices.Sorted(control.Routes()); !slices.Equal(there, documented) {
		t.Errorf("there are\n%s\nand documented are\n%s", strings.Join(there, "\n"), strings.Join(documented, "\n"))
	}
}

// It has every field, and takes no other.
func TestDocumentHasTheFields(t *testing.T) {
	schemas := document(t).Components.Schemas
	for name, schema := range schemas {
		if s := schema.Value; s.Type.Is("object") && (s.AdditionalProperties.Has == nil || *s.AdditionalProperties.Has) {
			t.Errorf("%s takes any field", name)
		}
	}
	for _, form := range control.Forms {
		kind := reflect.TypeOf(form)
		name := strings.TrimSuffix(strings.ToUpper(kind.Name()[:1])+kind.Name()[1:], "Form")
		if schemas[name] == nil {
			t.Errorf("there is no schema %s", name)
			continue
		}
		properties := schemas[name].Value.Properties
		if len(properties) != kind.NumField() {
			t.Errorf("%s has %d fields, and %d are documented", name, kind.NumField(), len(properties))
		}
		for i := range kind.NumField() {
			field, options, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
			if properties[field] == nil {
				t.Errorf("%s.%s is not documented", name, field)
			}
			// Of an answer, what is always there is required; of a filter, nothing.
			always, required := options == "" && name != "Rollback", slices.Contains(schemas[name].Value.Required, field)
			if always != required {
				t.Errorf("%s.%s: required is %v", name, field, required)
			}
		}
	}
}

// exchange is a request that a host answers.
type exchange struct{ method, target, contentType, body string }

var exchanges = []exchange{
	{"GET", "/v1/status", "", ""},
	{"GET", "/v1/deadletters", "", ""},
	{
		"GET", "/v1/deadletters?id=1&id=2&pipeline=users&plugin=0a&kind=trap&since=2026-01-02T03:04:05Z&until=2026-02-02T03:04:05Z" +
			"&after=1&limit=2&whole=true", "", "",
	},
	{"GET", "/v1/deadletters/000000000001", "", ""},
	{"POST", "/v1/deadletters/retry", "application/json", "{}"},
	{"POST", "/v1/deadletters/purge", "application/json", `{"ids": ["1"], "pipeline": "users", "plugin": "0a", "kind": "trap",
		"since": "2026-01-02T03:04:05Z", "until": "2026-02-02T03:04:05Z", "limit": 2, "all": true}`},
	{"GET", "/v1/pipelines/users/plugin", "", ""},
	{"POST", "/v1/pipelines/users/plugin/swap?name=a.wasm", "application/wasm", "\x00asm"},
	{"POST", "/v1/pipelines/users/plugin/promote", "", ""},
	{"POST", "/v1/pipelines/users/plugin/rollback", "application/json", `{}`},
	{"POST", "/v1/pipelines/users/plugin/rollback", "application/json", `{"digest": "01234567"}`},
	{"POST", "/v1/pipelines/users/resume", "application/json", `{"partition": ""}`},
	{"POST", "/v1/pipelines/users/rate_limit", "application/json", `{"allowed_messages": 1, "interval": "1s"}`},
	{"POST", "/v1/reload", "", ""},
}

func (e *exchange) request() *http.Request {
	r := httptest.NewRequest(e.method, e.target, strings.NewReader(e.body))
	if e.contentType != "" {
		r.Header.Set("Content-Type", e.contentType)
	}
	r.Header.Set("Module-Signature", "AAAA")
	return r
}

// Every kind of request and of answer is as the document says.
func TestDocumentIsTrue(t *testing.T) {
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", decodeLines)
	defer openapi3filter.UnregisterBodyDecoder("application/x-ndjson")
	openapi3filter.RegisterBodyDecoder("application/wasm", openapi3filter.FileBodyDecoder)
	defer openapi3filter.UnregisterBodyDecoder("application/wasm")
	doc := document(t)
	doc.Servers = nil // a path is enough
	router, err := legacy.NewRouter(doc)
	must(t, err)
	asked := map[*routers.Route]bool{}
	for _, e := range exchanges {
		route, parameters, err := router.FindRoute(e.request())
		must(t, err)
		asked[route] = true
		input := &openapi3filter.RequestValidationInput{
			Request: e.request(), PathParams: parameters, Route: route,
			Options: &openapi3filter.Options{
				RejectWhenRequestBodyNotSpecified: true, IncludeResponseStatus: true,
				AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
			},
		}
		if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
			t.Errorf("%s %s: %v", e.method, e.target, err)
		}
		answersAsDocumented(t, &e, input, &fake{letters: 2}, 200)
		answersAsDocumented(t, &e, input, &fake{letters: 2, broken: errors.New("the disk")}, 500)
	}
	if n := len(slices.Collect(control.Routes())); len(asked) != n {
		t.Errorf("%d of %d routes are asked", len(asked), n)
	}
}

func answersAsDocumented(t *testing.T, e *exchange, input *openapi3filter.RequestValidationInput, host *fake, want int) {
	t.Helper()
	w := httptest.NewRecorder()
	control.Handler(host).ServeHTTP(w, e.request())
	// The error of a list is its last line.
	if list := w.Header().Get("Content-Type") == "application/x-ndjson"; w.Code != want && !list {
		t.Errorf("%s %s: status %d, want %d: %s", e.method, e.target, w.Code, want, w.Body)
	}
	answer := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: w.Code, Header: w.Header(), Body: io.NopCloser(w.Body), Options: input.Options,
	}
	if err := openapi3filter.ValidateResponse(t.Context(), answer); err != nil {
		t.Errorf("%s %s: the answer: %v", e.method, e.target, err)
	}
}

// decodeLines makes an array of a text of lines.
func decodeLines(
	body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn,
) (any, error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	lines := []any{}
	for line := range bytes.Lines(text) {
		var value any
		if err := json.Unmarshal(line, &value); err != nil {
			return nil, err
		}
		lines = append(lines, value)
	}
	return lines, nil
}
