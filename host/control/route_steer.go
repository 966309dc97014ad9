package control

import (
	"errors"
	"net/http"
	"strings"
)

// pipelineOf is the pipeline that a request is about.
func pipelineOf(r *http.Request) (string, error) {
	name := r.PathValue("pipeline")
	if err := checkName("the pipeline's name", name); err != nil {
		return "", badRequest(err)
	}
	return name, nil
}

func pluginOf(h Host, w http.ResponseWriter, r *http.Request) error {
	if err := noParameters(r); err != nil {
		return err
	}
	pipeline, err := pipelineOf(r)
	if err != nil {
		return err
	}
	p, err := h.Plugin(r.Context(), pipeline)
	p.Versions = list(p.Versions)
	return answer(w, p, err)
}

// list is never null in JSON.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// answer answers with a value, unless there is an error.
func answer(w http.ResponseWriter, value any, err error) error {
	if err != nil {
		return err
	}
	respond(w, http.StatusOK, value)
	return nil
}

func swap(h Host, w http.ResponseWriter, r *http.Request) error {
	pipeline, err := pipelineOf(r)
	if err != nil {
		return err
	}
	m, err := readModule(w, r)
	if err != nil {
		return err
	}
	s, err := h.Swap(r.Context(), pipeline, m)
	return answer(w, s, err)
}

func promote(h Host, w http.ResponseWriter, r *http.Request) error {
	if err := noParameters(r); err != nil {
		return err
	}
	pipeline, err := pipelineOf(r)
	if err != nil {
		return err
	}
	s, err := h.Promote(r.Context(), pipeline)
	return answer(w, s, err)
}

// rollbackForm says which version; none is the one before.
type rollbackForm struct {
	Digest string `json:"digest"`
}

func rollback(h Host, w http.ResponseWriter, r *http.Request) error {
	var form rollbackForm
	pipeline, err := readSteer(w, r, &form, "choice of a version", `{"digest": ""} for the one before`)
	if err != nil {
		return err
	}
	digest := strings.TrimPrefix(form.Digest, "sha256:")
	if form.Digest != "" {
		if err := checkDigest(digest); err != nil {
			return badRequest(err)
		}
	}
	s, err := h.Rollback(r.Context(), pipeline, digest)
	return answer(w, s, err)
}

// readSteer reads which pipeline is to do what.
func readSteer(w http.ResponseWriter, r *http.Request, form any, what, example string) (pipeline string, err error) {
	if pipeline, err = pipelineOf(r); err != nil {
		return "", err
	}
	return pipeline, readJSON(w, r, form, what, example)
}

func reload(h Host, w http.ResponseWriter, r *http.Request) error {
	if err := noParameters(r); err != nil {
		return err
	}
	what, err := h.Reload(r.Context())
	return answer(w, Reloaded{list(what.Added), list(what.Removed), list(what.Changed), list(what.Unchanged)}, err)
}

// done is an answer that says nothing more.
type done struct{}

// resumeForm says which partition, which may be the one without a name.
type resumeForm struct {
	Partition *string `json:"partition"`
}

func resume(h Host, w http.ResponseWriter, r *http.Request) error {
	var form resumeForm
	pipeline, err := readSteer(w, r, &form, "partition", `{"partition": "user-7"}`)
	if err != nil {
		return err
	}
	if form.Partition == nil {
		return badRequest(errors.New("the partition is missing\nhint: {\"partition\": \"user-7\"}"))
	}
	return answer(w, done{}, h.Resume(r.Context(), pipeline, *form.Partition))
}

func setRateLimit(h Host, w http.ResponseWriter, r *http.Request) error {
	var form rateLimit
	pipeline, err := readSteer(w, r, &form, "rate limit", `{"allowed_messages": 100, "interval": "1s"}`)
	if err != nil {
		return err
	}
	l, err := form.limit()
	if err != nil {
		return badRequest(err)
	}
	return answer(w, done{}, h.SetRateLimit(r.Context(), pipeline, l))
}
