package control_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/control"
)

// order is something that a host was told to do.
type order struct {
	what, pipeline, detail string
	module                 control.Module
	limit                  control.RateLimit
}

// told notes an order. There are the pipelines users and ✓ a/b.
func (f *fake) told(o order) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := []string{"users", "✓ a/b"}; o.what != "reload" && !slices.Contains(known, o.pipeline) {
		return &control.NoPipelineError{Name: o.pipeline, Known: known}
	}
	f.orders = append(f.orders, o)
	return f.broken
}

func (f *fake) Plugin(_ context.Context, pipeline string) (control.Plugin, error) {
	return plugin(pipeline), f.told(order{what: "plugin", pipeline: pipeline})
}

func (f *fake) Swap(_ context.Context, pipeline string, m control.Module) (control.Started, error) {
	return control.Started{Rollout: 7}, f.told(order{what: "swap", pipeline: pipeline, module: m})
}

func (f *fake) Promote(_ context.Context, pipeline string) (control.Started, error) {
	return control.Started{Rollout: 8}, f.told(order{what: "promote", pipeline: pipeline})
}

func (f *fake) Rollback(_ context.Context, pipeline, digest string) (control.Started, error) {
	return control.Started{Rollout: 9}, f.told(order{what: "rollback", pipeline: pipeline, detail: digest})
}

func (f *fake) Reload(context.Context) (control.Reloaded, error) {
	return control.Reloaded{Added: []string{"a"}, Removed: []string{}, Changed: []string{"b", "c"}, Unchanged: []string{}},
		f.told(order{what: "reload"})
}

func (f *fake) Resume(_ context.Context, pipeline, partition string) error {
	return f.told(order{what: "resume", pipeline: pipeline, detail: partition})
}

func (f *fake) SetRateLimit(_ context.Context, pipeline string, l control.RateLimit) error {
	return f.told(order{what: "rate limit", pipeline: pipeline, limit: l})
}

// plugin has every field.
func plugin(pipeline string) control.Plugin {
	digest := strings.Repeat("0a", 32)
	version := control.Version{Digest: digest, Source: "a.wasm", Size: 20, State: "good", Reason: "why", Seen: moment, Live: moment}
	return control.Plugin{
		Pipeline: pipeline, Mode: "canary", Live: version, Candidate: &version, Versions: []control.Version{version, version},
		Rollout: &control.Rollout{
			Number: 7, Digest: digest, Source: "a.wasm", Mode: "canary", Stage: "done", Result: "rolled_back",
			Error: "worse", Began: moment, Ended: moment, Trial: &control.Trial{
				Share: 0.25, Ends: moment, Live: control.Measures{Messages: 1, Failures: 2, Fuel: 1 << 63, Seconds: 0.5},
				Compared: 1, Differed: 2, Skipped: 3, Differences: []control.Difference{{EventID: "e", Fields: []string{"data"}}},
			},
		},
	}
}

// What a client wants done is what the host is told, and what it answers is what
// the client gets.
func TestSteering(t *testing.T) {
	host := &fake{}
	path, _ := serve(t, host)
	c, ctx := dial(t, path), t.Context()
	const name = "✓ a/b"
	m := control.Module{Name: "dir/✓ &v2.wasm", File: []byte(strings.Repeat("wasm", 1<<20)), Signature: []byte("untrusted\n\x00")}
	limit := control.RateLimit{AllowedMessages: 5, Interval: 1500 * time.Millisecond}

	p, err := c.Plugin(ctx, name)
	must(t, err)
	swapped, err := c.Swap(ctx, name, m)
	must(t, err)
	promoted, err := c.Promote(ctx, "users")
	must(t, err)
	back, err := c.Rollback(ctx, "users", "sha256:01234567")
	must(t, err)
	_, err = c.Rollback(ctx, "users", "")
	must(t, err)
	reloaded, err := c.Reload(ctx)
	must(t, err)
	must(t, c.Resume(ctx, "users", ""))
	must(t, c.SetRateLimit(ctx, "users", limit))
	must(t, c.SetRateLimit(ctx, "users", control.RateLimit{}))

	if !reflect.DeepEqual(p, plugin(name)) {
		t.Errorf("plugin %+v, want %+v", p, plugin(name))
	}
	if swapped.Rollout != 7 || promoted.Rollout != 8 || back.Rollout != 9 {
		t.Errorf("rollouts %v, %v and %v", swapped, promoted, back)
	}
	want, err := host.Reload(ctx)
	must(t, err)
	if !reflect.DeepEqual(reloaded, want) {
		t.Errorf("reloaded %+v, want %+v", reloaded, want)
	}
	orders := []order{
		{what: "plugin", pipeline: name}, {what: "swap", pipeline: name, module: m}, {what: "promote", pipeline: "users"},
		{what: "rollback", pipeline: "users", detail: "01234567"}, {what: "rollback", pipeline: "users"}, {what: "reload"},
		{what: "resume", pipeline: "users"}, {what: "rate limit", pipeline: "users", limit: limit},
		{what: "rate limit", pipeline: "users"}, {what: "reload"},
	}
	if !reflect.DeepEqual(host.orders, orders) {
		t.Errorf("the host was told %+.500v", host.orders)
	}
}

// A module without a name and a signature has neither.
func TestSwapOfAModuleAlone(t *testing.T) {
	host := &fake{}
	path, _ := serve(t, host)
	_, err := dial(t, path).Swap(t.Context(), "users", control.Module{File: []byte("x")})
	must(t, err)
	if m := host.orders[0].module; m.Name != "" || len(m.Signature) > 0 || string(m.File) != "x" {
		t.Errorf("module %+v", m)
	}
}

// A pipeline that is not there is said with those that are.
func TestNoPipeline(t *testing.T) {
	path, _ := serve(t, &fake{})
	status, body := send(t, path, get("/v1/pipelines/user/plugin"))
	if status != 404 || !strings.Contains(body, `there is no pipeline \"user\"\nhint: there are users, `) {
		t.Errorf("%d %s", status, body)
	}
	if text := (&control.NoPipelineError{Name: "x"}).Error(); text != `there is no pipeline "x", nor any other` {
		t.Error(text)
	}
}

// What is not understood is refused, and the host is told nothing.
func TestHostileSteering(t *testing.T) {
	host := &fake{}
	path, _ := serve(t, host)
	const of = "/v1/pipelines/users"
	for _, c := range []struct {
		request string
		status  int
		says    string
	}{
		{get(of + "/plugin?x=1"), 400, "takes no parameters"},
		{get("/v1/pipelines/" + strings.Repeat("p", 256) + "/plugin"), 400, "more than 255 bytes"},
		{get("/v1/pipelines/a%00b/plugin"), 400, "cannot be printed"},
		{get("/v1/pipelines/a%ffb/plugin"), 400, "cannot be printed"},
		{get("/v1/pipelines//plugin"), 307, ""},
		{get(of + "/plugin/swap"), 404, "there is no"},
		{get(of + "/plugin/promote"), 404, "there is no"},
		{post(of+"/plugin/swap", "{}"), 415, "want application/wasm"},
		{postAs(of+"/plugin/swap", "multipart/form-data", "x"), 415, "want application/wasm"},
		{postAs(of+"/plugin/swap", "", "x"), 415, "want application/wasm"},
		{postAs(of+"/plugin/swap", "application/wasm", ""), 400, "there is no module"},
		{postAs(of+"/plugin/swap?nam=x", "application/wasm", "x"), 400, "only parameter is name"},
		{postAs(of+"/plugin/swap?name=x&name=y", "application/wasm", "x"), 400, "only parameter is name"},
		{postAs(of+"/plugin/swap?name=x&y=z", "application/wasm", "x"), 400, "only parameter is name"},
		{postAs(of+"/plugin/swap?name=%zz", "application/wasm", "x"), 400, "cannot be read"},
		{postAs(of+"/plugin/swap?name=a%0ab", "application/wasm", "x"), 400, "cannot be printed"},
		{postAs(of+"/plugin/swap", "application/wasm\r\nModule-Signature: ?", "x"), 400, "want base64"},
		{postAs(of+"/plugin/swap", "application/wasm\r\nModule-Signature: "+strings.Repeat("A", 11000), "x"), 400, "more than 8192 bytes"},
		{
			"POST " + of + "/plugin/swap HTTP/1.1\r\nHost: h\r\nContent-Type: application/wasm\r\nContent-Length: 67108865\r\n\r\n",
			413, "more than 67108864 bytes",
		},
		{post(of+"/plugin/promote", "{}"), 400, "takes no body"},
		{post(of+"/plugin/promote?now=1", ""), 400, "takes no parameters"},
		{post(of+"/plugin/rollback", ""), 400, "there is no choice of a version"},
		{post(of+"/plugin/rollback", `{"digest": "0123456"}`), 400, "first 8 to 64 digits"},
		{post(of+"/plugin/rollback", `{"digest": "0123456G"}`), 400, "first 8 to 64 digits"},
		{post(of+"/plugin/rollback", `{"digest": "`+strings.Repeat("0", 65)+`"}`), 400, "first 8 to 64 digits"},
		{post(of+"/plugin/rollback", `{"version": "1"}`), 400, "unknown field"},
		{post("/v1/reload", "{}"), 400, "takes no body"},
		{post("/v1/reload?force=1", ""), 400, "takes no parameters"},
		{post(of+"/resume", `{}`), 400, "the partition is missing"},
		{post(of+"/resume", `{"partition": 7}`), 400, "cannot be read"},
		{post(of+"/resume", `{"partition": "`+strings.Repeat("7", 300<<10)+`"}`), 413, "more than"},
		{post(of+"/rate_limit", `{"allowed_messages": 1, "interval": "0s"}`), 400, "want 1ms to 24h0m0s"},
		{post(of+"/rate_limit", `{"allowed_messages": 0, "interval": "1s"}`), 400, "allowed_messages is 0"},
		{post(of+"/rate_limit", `{"allowed_messages": -1, "interval": "1s"}`), 400, "allowed_messages is -1"},
		{post(of+"/rate_limit", `{"allowed_messages": 1, "interval": "soon"}`), 400, "want a duration"},
		{post(of+"/rate_limit", `{"allowed_messages": 1, "interval": 1}`), 400, "cannot be read"},
		{postAs("/v1/deadletters/retry", "text/plain", "{}"), 415, "want application/json"},
		{postAs("/v1/deadletters/retry", "application/json; charset=utf-8", "{]"), 400, "cannot be read"},
	} {
		status, body := send(t, path, c.request)
		if status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%.120q: %d %s, want %d and %q", c.request, status, body, c.status, c.says)
		}
	}
	if len(host.orders) > 0 || len(host.asked) > 0 {
		t.Errorf("the host was told %+v", host.orders)
	}
}

// A module that is too large is not sent, and not taken from a peer that does not
// say how large it is.
func TestModuleTooLarge(t *testing.T) {
	host := &fake{}
	path, _ := serve(t, host)
	file := make([]byte, control.MaxModule+1)
	if _, err := dial(t, path).Swap(t.Context(), "users", control.Module{File: file}); err == nil {
		t.Error("a module of 64 MiB and a byte is sent")
	}
	r := httptest.NewRequest(http.MethodPost, "/v1/pipelines/users/plugin/swap", bytes.NewReader(file))
	r.Header.Set("Content-Type", "application/wasm")
	r.ContentLength = -1
	w := httptest.NewRecorder()
	control.Handler(host).ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge || len(host.orders) > 0 {
		t.Errorf("status %d, %d orders", w.Code, len(host.orders))
	}
	_, err := dial(t, path).Swap(t.Context(), "users", control.Module{File: file[1:]})
	must(t, err)
	if len(host.orders) != 1 {
		t.Errorf("%d orders", len(host.orders))
	}
}
