package control_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

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

// Whatever is sent, a request that is refused does nothing, and one that is not
// tells the host what is within the bounds.
func FuzzSteering(f *testing.F) {
	for i, seed := range []string{
		`{}`, `{"digest": "sha256:01234567"}`, `{"digest": "01234567"} 1`, `{"partition": "user-7"}`, `{"partition": null}`,
		`{"allowed_messages": 1, "interval": "1s"}`, `{"allowed_messages": 1e3, "interval": "-1s"}`, "", "null",
	} {
		f.Add(uint8(i), seed)
	}
	targets := []string{"plugin/rollback", "resume", "rate_limit", "plugin/promote"}
	f.Fuzz(func(t *testing.T, n uint8, body string) {
		host := &fake{}
		w := ask(host, "/v1/pipelines/users/"+targets[int(n)%len(targets)], "application/json", body)
		if done := len(host.orders) > 0; done != (w.Code == http.StatusOK) {
			t.Fatalf("%q: status %d, and something was done: %v", body, w.Code, done)
		}
		for _, o := range host.orders {
			if l := o.limit; l != (control.RateLimit{}) && (l.AllowedMessages < 1 || l.Interval < time.Millisecond) {
				t.Errorf("%q is the limit %+v", body, l)
			}
			if o.what == "rollback" && o.detail != "" && !digests.MatchString(o.detail) {
				t.Errorf("%q is the digest %q", body, o.detail)
			}
		}
	})
}

var digests = regexp.MustCompile("^[0-9a-f]{8,64}$")

// What is said of a module is bounded, and can be said again.
func FuzzDescribedModule(f *testing.F) {
	for _, seed := range [][2]string{{"", ""}, {"name=a%20b.wasm", "AAAA"}, {"name=a&name=b", "!"}, {"nam=a", ""}, {"name=%zz", "AA=="}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, query, signature string) {
		m, err := control.DescribedModule(query, http.Header{"Module-Signature": {signature}})
		if err != nil {
			return
		}
		again, err := control.DescribedModule(url.Values{"name": {m.Name}}.Encode(),
			http.Header{"Module-Signature": {base64.StdEncoding.EncodeToString(m.Signature)}})
		if err != nil || !reflect.DeepEqual(m, again) || len(m.Signature) > control.MaxSignature {
			t.Errorf("%q and %q are %+v, and then %+v, %v", query, signature, m, again, err)
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
