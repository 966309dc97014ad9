package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"net/http"
	"net/url"
	"slices"
	"syscall"
	"time"
)

// How long a client waits for an answer, and for the next part of one: what
// changes many dead letters may take a while.
const (
	answerWait = 15 * time.Second
	changeWait = 10 * time.Minute
)

// How large an answer may be, and a line of a list: an event, as base64.
const (
	maxAnswer = 512 << 20
	maxLine   = 512 << 20
)

// Client asks a host. Make it with [Dial]; it holds no connection.
type Client struct{ http http.Client }

var _ Host = (*Client)(nil)

// Dial finds the host that listens at path. The error is [ErrNoHost] if none
// does.
func Dial(path string) (*Client, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("%w at %s, whose path is too long for a socket", ErrNoHost, path)
	}
	conn, err := net.DialTimeout("unix", path, answerWait)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNoHost
	case err != nil:
		return nil, fmt.Errorf("reach the host at %s: %w", path, bare(err))
	}
	_ = conn.Close()
	var dialer net.Dialer
	return newClient(func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "unix", path) }), nil
}

func newClient(dial func(context.Context) (net.Conn, error)) *Client {
	return &Client{http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		DisableKeepAlives: true,
	}}}
}

// errSilent is a host that hangs.
var errSilent = errors.New("it does not answer")

// watched is an answer whose next part must come in time.
type watched struct {
	io.ReadCloser

	timer  *time.Timer
	wait   time.Duration
	cancel context.CancelCauseFunc
	ctx    context.Context
}

func (b *watched) Read(p []byte) (int, error) {
	b.timer.Reset(b.wait)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop() // who reads may take all the time they want
	if err != nil && !errors.Is(err, io.EOF) {
		err = cause(b.ctx, err)
	}
	return n, err
}

func (b *watched) Close() error {
	b.timer.Stop()
	b.cancel(nil)
	return b.ReadCloser.Close()
}

// cause is why a request was given up, if it was.
func cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); why != nil {
		return why
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return bare(u.Err)
	}
	return err
}

// request asks, and returns an answer that is no error. The caller closes it.
func (c *Client) request(ctx context.Context, wait time.Duration, method, target string, body any) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(wait, func() { cancel(errSilent) })
	response, err := c.send(ctx, method, target, body) //nolint:bodyclose // its owner closes it
	if err != nil {
		err = cause(ctx, err)
		timer.Stop()
		cancel(nil)
		return nil, fmt.Errorf("ask the host: %w", err)
	}
	answer := &watched{response.Body, timer, wait, cancel, ctx}
	if response.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer func() { _ = answer.Close() }()
	return nil, refusal(response.StatusCode, answer)
}

func (c *Client) send(ctx context.Context, method, target string, body any) (*http.Response, error) {
	text, contentType, err := encode(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://host"+target, bytes.NewReader(text)) //nolint:gosec // whatever is in it, it goes to the socket
	if err != nil {
		return nil, err
	}
	if len(text) > 0 {
		request.Header.Set("Content-Type", contentType)
	}
	if m, ok := body.(*Module); ok && len(m.Signature) > 0 {
		request.Header.Set(signatureHeader, base64.StdEncoding.EncodeToString(m.Signature))
	}
	return c.http.Do(request) //nolint:gosec // as above
}

// encode is a request's body: nothing, a module's file, or JSON.
func encode(body any) (text []byte, contentType string, err error) {
	switch body := body.(type) {
	case nil:
		return nil, "", nil
	case *Module:
		return body.File, typeModule, nil
	default:
		text, err = json.Marshal(body)
		return text, typeJSON, err
	}
}

// refusal is the error that an answer is.
func refusal(status int, answer io.Reader) error {
	var p problem
	if err := json.NewDecoder(io.LimitReader(answer, 64<<10)).Decode(&p); err != nil || p.Error == "" {
		return fmt.Errorf("the host answers %d %s", status, http.StatusText(status))
	}
	if p.Error == ErrNotFound.Error() {
		return ErrNotFound
	}
	return fmt.Errorf("the host answers: %s", p.Error)
}

// ask asks for one JSON value.
func (c *Client) ask(ctx context.Context, wait time.Duration, method, target string, body, value any) error {
	answer, err := c.request(ctx, wait, method, target, body)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	if err := json.NewDecoder(io.LimitReader(answer, maxAnswer)).Decode(value); err != nil {
		return fmt.Errorf("read the host's answer: %w", err)
	}
	return nil
}

// Status asks how the host is.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.ask(ctx, answerWait, http.MethodGet, "/v1/status", nil, &s)
	return s, err
}

// DeadLetter asks for one.
func (c *Client) DeadLetter(ctx context.Context, id string) (d DeadLetter, err error) {
	err = c.ask(ctx, answerWait, http.MethodGet, "/v1/deadletters/"+url.PathEscape(id), nil, &d)
	return d, err
}

// Retry has dead letters handled again.
func (c *Client) Retry(ctx context.Context, f Filter) (int, error) { return c.change(ctx, "retry", f) }

// Purge deletes dead letters.
func (c *Client) Purge(ctx context.Context, f Filter) (int, error) { return c.change(ctx, "purge", f) }

func (c *Client) change(ctx context.Context, what string, f Filter) (n int, err error) {
	for part := range parts(f) {
		if f.Limit > 0 {
			part.Limit = f.Limit - n
		}
		var changed count
		if err := c.ask(ctx, changeWait, http.MethodPost, "/v1/deadletters/"+what, part, &changed); err != nil {
			return n, err
		}
		if n += changed.Count; f.Limit > 0 && n >= f.Limit {
			break
		}
	}
	return n, nil
}

// parts are filters that name no more dead letters than a request may.
func parts(f Filter) iter.Seq[Filter] {
	return func(yield func(Filter) bool) {
		if len(f.IDs) == 0 {
			yield(f)
			return
		}
		for ids := range slices.Chunk(f.IDs, maxIDs) {
			part := f
			part.IDs = ids
			if !yield(part) {
				return
			}
		}
	}
}

// DeadLetters asks for a list.
func (c *Client) DeadLetters(ctx context.Context, q Query) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		n := 0
		for part := range parts(q.Filter) {
			q.Filter = part
			for d, err := range c.lines(ctx, q) {
				if !yield(d, err) || err != nil {
					return
				}
				if n++; q.Limit > 0 && n >= q.Limit {
					return
				}
			}
		}
	}
}

// lines is the list that one request gives.
func (c *Client) lines(ctx context.Context, q Query) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		answer, err := c.request(ctx, answerWait, http.MethodGet, "/v1/deadletters?"+q.values().Encode(), nil)
		if err != nil {
			yield(DeadLetter{}, err)
			return
		}
		defer func() { _ = answer.Close() }()
		scanner := bufio.NewScanner(answer)
		scanner.Buffer(nil, maxLine)
		for scanner.Scan() {
			d, err := decodeLine(scanner.Bytes())
			if !yield(d, err) || err != nil {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			yield(DeadLetter{}, fmt.Errorf("read the host's list: %w", err))
		}
	}
}

// decodeLine reads a dead letter, or the error that ends a list.
func decodeLine(line []byte) (DeadLetter, error) {
	var found struct {
		DeadLetter
		problem
	}
	if err := json.Unmarshal(line, &found); err != nil {
		return DeadLetter{}, fmt.Errorf("read the host's list: %w", err)
	}
	if found.Error != "" {
		return DeadLetter{}, fmt.Errorf("the host answers: %s", found.Error)
	}
	return found.DeadLetter, nil
}
