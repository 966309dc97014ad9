package control

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// maxBody is how large a request's body may be if it is no module.
const maxBody = 256 << 10

// readWait is how long a peer may take to send a body. A module may take longer:
// moduleWait, if there is never pauseWait without a part of it.
const (
	readWait   = 2 * time.Second
	pauseWait  = 10 * time.Second
	moduleWait = 5 * time.Minute
)

// What a body is.
const (
	typeJSON   = "application/json"
	typeModule = "application/wasm"
)

// signatureHeader has a module's signature, in base64.
const signatureHeader = "Module-Signature"

// body is what a route takes; the zero body is none.
type body struct {
	contentType string
	max         int64
	// atOnce is how many requests of the route may be under way, 0 for any number.
	atOnce int
}

var (
	jsonBody   = body{contentType: typeJSON, max: maxBody}
	moduleBody = body{contentType: typeModule, max: MaxModule, atOnce: maxModules}
)

// admit refuses a body of another kind, and bounds the one that is wanted. A
// browser sends neither kind to another site without asking.
func (b body) admit(w http.ResponseWriter, r *http.Request) error {
	switch {
	case r.ContentLength == 0:
		return nil
	case b.contentType == "":
		return badRequest(fmt.Errorf("%s %.200s takes no body", r.Method, r.URL.Path))
	}
	given := r.Header.Get("Content-Type")
	if kind, _, err := mime.ParseMediaType(given); err != nil || kind != b.contentType {
		return fault{http.StatusUnsupportedMediaType, fmt.Errorf("the body's content type is %.64q, want %s", given, b.contentType)}
	}
	r.Body = http.MaxBytesReader(w, r.Body, b.max)
	return nil
}

func tooLarge(most int64) error {
	return fault{http.StatusRequestEntityTooLarge, fmt.Errorf("the request has more than %d bytes", most)}
}

// hurry gives a peer little time to send a body.
func hurry(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readWait))
	}
}

// arrived takes a deadline off: it would end a long answer, too.
func arrived(w http.ResponseWriter) { _ = http.NewResponseController(w).SetReadDeadline(time.Time{}) }

// readJSON reads the body, one JSON object, into value. What it is, and how one
// looks, is said if it is not there.
func readJSON(w http.ResponseWriter, r *http.Request, value any, what, example string) error {
	if err := noParameters(r); err != nil {
		return err
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(value); errors.Is(err, io.EOF) {
		return badRequest(fmt.Errorf("there is no %s\nhint: it is a JSON object such as %s", what, example))
	} else if err != nil {
		return unreadable(what, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badRequest(errors.New("there is more than one JSON object"))
	}
	arrived(w)
	return nil
}

func unreadable(what string, err error) error {
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(large.Limit)
	}
	return badRequest(fmt.Errorf("the %s cannot be read: %w", what, err))
}

// readModule reads a module, as long as parts of it come.
func readModule(w http.ResponseWriter, r *http.Request) (m Module, err error) {
	if m, err = describedModule(r.URL.RawQuery, r.Header); err != nil {
		return m, badRequest(err)
	}
	if r.ContentLength > MaxModule { // said before it comes, if the peer waits to hear
		return m, tooLarge(MaxModule)
	}
	parts := &paced{r.Body, http.NewResponseController(w), time.Now().Add(moduleWait)}
	if m.File, err = io.ReadAll(parts); err != nil {
		return m, unreadable("module", err)
	}
	arrived(w)
	if err := m.check(); err != nil {
		return m, badRequest(err)
	}
	return m, nil
}

// describedModule is what a request says about the module that is its body.
func describedModule(query string, header http.Header) (m Module, err error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return m, fmt.Errorf("the parameters cannot be read: %w", err)
	}
	m.Name = values.Get("name")
	if more := len(values["name"]); len(values) > 1 || more > 1 || more == 0 && len(values) > 0 {
		return m, errors.New("the only parameter is name, once")
	}
	text := header.Get(signatureHeader)
	if len(text) > base64.StdEncoding.EncodedLen(MaxSignature) {
		return m, fmt.Errorf("the signature has more than %d bytes", MaxSignature)
	}
	if m.Signature, err = base64.StdEncoding.DecodeString(text); err != nil {
		return m, fmt.Errorf("the header %s cannot be read, want base64: %w", signatureHeader, err)
	}
	return m, nil
}

// paced is a body of which the next part must come in time, and all of it, too.
type paced struct {
	io.Reader

	deadline *http.ResponseController
	end      time.Time
}

func (p *paced) Read(b []byte) (int, error) {
	next := time.Now().Add(pauseWait)
	if next.After(p.end) {
		next = p.end
	}
	_ = p.deadline.SetReadDeadline(next)
	return p.Reader.Read(b)
}
