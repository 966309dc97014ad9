package control_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/control"
)

// Parameters that are taken are the same when they are written down again.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"", "id=1&id=2&pipeline=a%20b&plugin=ab&kind=trap&limit=7&after=3&whole=true",
		"since=2026-01-02T03:04:05.678Z&until=2026-01-02T03:04:05.679%2B01:00", "limit=+07", "a=%zz", "kind=ok",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := control.ParseQuery(raw)
		if err != nil {
			return
		}
		again, err := control.ParseQuery(q.Encode())
		if err != nil {
			t.Fatalf("%q is written as %q: %v", raw, q.Encode(), err)
		}
		if !again.Since.Equal(q.Since) || !again.Until.Equal(q.Until) {
			t.Errorf("%q is read as %+v, and then as %+v", raw, q, again)
		}
		again.Since, again.Until = q.Since, q.Until
		if len(q.IDs) == 0 {
			again.IDs = q.IDs
		}
		if !reflect.DeepEqual(q, again) {
			t.Errorf("%q is read as %+v, and then as %+v", raw, q, again)
		}
	})
}

// Whatever is sent, nothing is purged unless something says which, and a request
// that is refused does nothing.
func FuzzPurge(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", `{"all": true}`, `{"ids": ["1"]}`, `{"kind": "trap", "limit": 2}`, `{"since": "2026-01-02T03:04:05Z"}`,
		`{"ids": null}`, `{"IDS": ["1"]} {}`, `{"limit": 1e9}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		host := &fake{}
		w := ask(host, "/v1/deadletters/purge", "application/json", body)
		done := len(host.asked) > 0
		if done != (w.Code == http.StatusOK) {
			t.Errorf("%q: status %d, and something was done: %v", body, w.Code, done)
		}
		if done && host.asked[0].Everything() && !host.asked[0].All {
			t.Errorf("%q purges everything", body)
		}
	})
}

func ask(h control.Host, target, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	control.Handler(h).ServeHTTP(w, r)
	return w
}
