package control

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// of is the path of something of a pipeline.
func of(pipeline, what string) string { return "/v1/pipelines/" + url.PathEscape(pipeline) + what }

// Plugin asks for a pipeline's plugin.
func (c *Client) Plugin(ctx context.Context, pipeline string) (p Plugin, err error) {
	err = c.ask(ctx, answerWait, http.MethodGet, of(pipeline, "/plugin"), nil, &p)
	return p, err
}

// Swap sends a module that is to be the live one.
func (c *Client) Swap(ctx context.Context, pipeline string, m Module) (s Started, err error) {
	if len(m.File) > MaxModule {
		return s, fmt.Errorf("the module has %d bytes, and a host takes %d", len(m.File), MaxModule)
	}
	target := of(pipeline, "/plugin/swap")
	if m.Name != "" {
		target += "?" + url.Values{"name": {m.Name}}.Encode()
	}
	err = c.ask(ctx, changeWait, http.MethodPost, target, &m, &s)
	return s, err
}

// Promote has the version that is on trial made the live one.
func (c *Client) Promote(ctx context.Context, pipeline string) (s Started, err error) {
	err = c.ask(ctx, changeWait, http.MethodPost, of(pipeline, "/plugin/promote"), nil, &s)
	return s, err
}

// Rollback has an earlier version made the live one.
func (c *Client) Rollback(ctx context.Context, pipeline, digest string) (s Started, err error) {
	err = c.ask(ctx, changeWait, http.MethodPost, of(pipeline, "/plugin/rollback"), rollbackForm{digest}, &s)
	return s, err
}

// Reload has the configuration read again.
func (c *Client) Reload(ctx context.Context) (r Reloaded, err error) {
	err = c.ask(ctx, changeWait, http.MethodPost, "/v1/reload", nil, &r)
	return r, err
}

// Resume has a partition go on.
func (c *Client) Resume(ctx context.Context, pipeline, partition string) error {
	return c.ask(ctx, answerWait, http.MethodPost, of(pipeline, "/resume"), resumeForm{&partition}, &done{})
}

// SetRateLimit replaces a pipeline's rate limit.
func (c *Client) SetRateLimit(ctx context.Context, pipeline string, l RateLimit) error {
	return c.ask(ctx, answerWait, http.MethodPost, of(pipeline, "/rate_limit"), l.form(), &done{})
}
