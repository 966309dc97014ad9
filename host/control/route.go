package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// maxRequests is how many requests are answered at a time, and maxModules how
// many of them may bring a module: each is in memory.
const (
	maxRequests = 16
	maxModules  = 2
)

// writeWait is how long a peer may take nothing of an answer.
const writeWait = 30 * time.Second

// fault is an error of the peer's, or of ours, as a status.
type fault struct {
	status int
	err    error
}

func (f fault) Error() string { return f.err.Error() }
func (f fault) Unwrap() error { return f.err }

func badRequest(err error) error { return fault{http.StatusBadRequest, err} }

// route is a resource and what can be done with it.
type route struct {
	method, path string
	takes        body
	// answer answers a request, or returns an error before it has begun to.
	answer func(h Host, w http.ResponseWriter, r *http.Request) error
}

// routes is everything that can be asked. docs/openapi.yaml describes it.
var routes = []route{
	{http.MethodGet, "/v1/status", body{}, status},
	{http.MethodGet, "/v1/deadletters", body{}, deadLetters},
	{http.MethodGet, "/v1/deadletters/{id}", body{}, deadLetter},
	{http.MethodPost, "/v1/deadletters/retry", jsonBody, retry},
	{http.MethodPost, "/v1/deadletters/purge", jsonBody, purge},
	{http.MethodGet, "/v1/pipelines/{pipeline}/plugin", body{}, pluginOf},
	{http.MethodPost, "/v1/pipelines/{pipeline}/plugin/swap", moduleBody, swap},
	{http.MethodPost, "/v1/pipelines/{pipeline}/plugin/promote", body{}, promote},
	{http.MethodPost, "/v1/pipelines/{pipeline}/plugin/rollback", jsonBody, rollback},
	{http.MethodPost, "/v1/pipelines/{pipeline}/resume", jsonBody, resume},
	{http.MethodPost, "/v1/pipelines/{pipeline}/rate_limit", jsonBody, setRateLimit},
	{http.MethodPost, "/v1/reload", body{}, reload},
}

// handler answers requests for h.
func handler(h Host) http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.Handle(r.method+" "+r.path, r.handler(h))
	}
	mux.Handle("/", faults(func(_ http.ResponseWriter, r *http.Request) error {
		return fault{http.StatusNotFound, fmt.Errorf("there is no %.10q of %.200q", r.Method, r.URL.Path)}
	}))
	return atOnce(maxRequests, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hurry(w, r)
		mux.ServeHTTP(w, r)
	}))
}

func (r route) handler(h Host) http.Handler {
	answers := faults(func(w http.ResponseWriter, request *http.Request) error {
		if err := r.takes.admit(w, request); err != nil {
			return err
		}
		return r.answer(h, w, request)
	})
	if r.takes.atOnce == 0 {
		return answers
	}
	return atOnce(r.takes.atOnce, answers)
}

// atOnce answers so many requests at a time.
func atOnce(n int, next http.Handler) http.Handler {
	slots := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			next.ServeHTTP(w, r)
		default:
			hurry(w, r)
			fail(w, fault{http.StatusServiceUnavailable, fmt.Errorf("%d requests are being answered: ask again later", n)})
		}
	})
}

// faults makes the error of a handler its answer.
func faults(answer func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := answer(w, r); err != nil {
			fail(w, err)
		}
	})
}

// problem is an error in an answer.
type problem struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if f, ok := errors.AsType[fault](err); ok {
		status = f.status
	} else if _, unknown := errors.AsType[*NoPipelineError](err); unknown || errors.Is(err, ErrNotFound) {
		status = http.StatusNotFound
	} else if _, refused := errors.AsType[*RefusedError](err); refused {
		status = http.StatusBadRequest
	}
	respond(w, status, problem{err.Error()})
}

// respond answers with one JSON value.
func respond(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be made JSON"}`)
	}
	begin(w, "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // to a peer that may be gone
}

func begin(w http.ResponseWriter, contentType string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	patience(w)
}

// patience gives the peer time for the next part of an answer.
func patience(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeWait))
}

func status(h Host, w http.ResponseWriter, r *http.Request) error {
	if err := noParameters(r); err != nil {
		return err
	}
	s, err := h.Status(r.Context())
	if err != nil {
		return err
	}
	respond(w, http.StatusOK, s)
	return nil
}

func deadLetter(h Host, w http.ResponseWriter, r *http.Request) error {
	if err := noParameters(r); err != nil {
		return err
	}
	f := Filter{IDs: []string{r.PathValue("id")}}
	if err := f.check(); err != nil {
		return badRequest(err)
	}
	d, err := h.DeadLetter(r.Context(), f.IDs[0])
	if err != nil {
		return err
	}
	respond(w, http.StatusOK, d)
	return nil
}

// deadLetters answers a line for each. An error on the way is the last line.
func deadLetters(h Host, w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return badRequest(err)
	}
	begin(w, "application/x-ndjson")
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	for d, err := range h.DeadLetters(r.Context(), q) {
		patience(w)
		if err != nil {
			_ = lines.Encode(problem{err.Error()})
			return nil
		}
		if lines.Encode(d) != nil { // the peer is gone
			return nil
		}
	}
	return nil
}

// count is the answer of what changes dead letters.
type count struct {
	Count int `json:"count"`
}

func retry(h Host, w http.ResponseWriter, r *http.Request) error {
	f, err := readFilter(w, r)
	if err != nil {
		return err
	}
	n, err := h.Retry(r.Context(), f)
	if err != nil {
		return err
	}
	respond(w, http.StatusOK, count{n})
	return nil
}

var errPurgesAll = errors.New("the filter chooses every dead letter\nhint: if that is meant, say so: {\"all\": true}")

func purge(h Host, w http.ResponseWriter, r *http.Request) error {
	f, err := readFilter(w, r)
	if err != nil {
		return err
	}
	if f.Everything() && !f.All {
		return badRequest(errPurgesAll)
	}
	n, err := h.Purge(r.Context(), f)
	if err != nil {
		return err
	}
	respond(w, http.StatusOK, count{n})
	return nil
}

// readFilter reads the filter that is a request's body.
func readFilter(w http.ResponseWriter, r *http.Request) (f Filter, err error) {
	if err := readJSON(w, r, &f, "filter", "{}, for all"); err != nil {
		return f, err
	}
	if err := f.check(); err != nil {
		return f, badRequest(err)
	}
	return f, nil
}
