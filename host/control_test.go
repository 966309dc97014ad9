package host_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/message"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// The books that the socket shows balance whenever one looks, while events are
// handled, fail and are tried again.
func TestBooksOverTheSocket(t *testing.T) {
	const total = 3000
	s := newSite(t)
	c := s.config("[pipeline.processors.default]\nmax_demand = 100\n" + batches)
	data := make([]string, total)
	for n := range data {
		data[n] = person(fmt.Sprint("n", n))
		if n%3 == 0 {
			data[n] = "{}"
		}
	}
	s.publish(data...)
	r := s.run(c)
	client, err := control.Dial(host.ControlSocket(c))
	must(t, err)
	retried, looks, midway := 0, 0, 0
	for {
		status, err := client.Status(t.Context())
		must(t, err)
		p := status.Pipelines[0]
		if settled := p.SettledTotal(); p.Received != settled+p.InFlight {
			t.Fatalf("received %d, settled %d, in flight %d", p.Received, settled, p.InFlight)
		}
		if trouble := status.Trouble(); len(trouble) > 0 {
			t.Fatalf("trouble: %q", trouble)
		}
		if looks++; p.InFlight > 0 {
			midway++
		}
		if p.Kept.DeadLetters > 100 && retried == 0 {
			retried, err = client.Retry(t.Context(), control.Filter{Kind: "handler", Limit: 100})
			must(t, err)
		}
		if retried > 0 && p.Received == total+int64(retried) && p.InFlight == 0 {
			break
		}
	}
	t.Logf("%d looks, %d of them with messages in flight", looks, midway)
	must(t, r.stop())
	if b := r.Books()["users"]; retried != 100 || b.Recovered != 100 || b.DeadLettered != total/3+100 {
		t.Errorf("%d retried; the books: %+v", retried, b)
	}
}

// A socket whose path is too long costs a warning.
func TestLongSocketPath(t *testing.T) {
	s := newSite(t)
	c := s.config(batches)
	c.Journal.Dir = filepath.Join(s.dir, strings.Repeat("long", 30))
	r := s.run(c)
	s.publish(person("ada"))
	r.out.await(t, `"ADA"`, 1)
	must(t, r.stop())
	if !strings.Contains(r.log.String(), "the path is too long for a socket") {
		t.Errorf("no warning in\n%s", r.log)
	}
}

// graves is a journal with so many dead letters of each of some pipelines.
func graves(t *testing.T, n int, pipelines ...string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	j, err := journal.Open(filepath.Join(dir, "j"), journal.Options{Fsync: journal.Off})
	must(t, err)
	for _, name := range pipelines {
		inbox, err := j.Inbox(journal.InboxOptions{Pipeline: name})
		must(t, err)
		messages := make([]*message.Message, n)
		for i := range messages {
			messages[i] = &message.Message{ID: fmt.Sprint(name, i), Event: []byte("event"), Attempt: 1}
		}
		must(t, inbox.Append(t.Context(), nil, messages))
		for _, m := range messages {
			m.Plugin = "ab" + name
			m.Settle(message.Outcome{Kind: message.Trap, Reason: "why", Trace: "where", Action: message.DeadLetter})
		}
		inbox.Settle(messages)
	}
	must(t, j.Close())
	return &config.Config{
		Journal:   config.Journal{Enabled: true, Dir: filepath.Join(dir, "j"), Fsync: "off", MaxBytes: 1 << 30},
		Pipelines: []config.Pipeline{{Name: "users"}},
	}
}

func offline(t *testing.T, c *config.Config) *host.Offline {
	t.Helper()
	o, err := host.OpenOffline(c, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, o.Close()) })
	return o
}

func count(t *testing.T, h control.Host, f control.Filter) (n int) {
	t.Helper()
	for d, err := range h.DeadLetters(t.Context(), control.Query{Filter: f}) {
		must(t, err)
		if n++; d.Event != nil || d.Trace != "" || d.Size != 5 || d.Reason != "why" {
			t.Fatalf("in a list: %+v", d)
		}
	}
	return n
}

// Filters that the journal does not have; more than is changed at once; and those
// of a pipeline that is gone stay when the rest is retried.
func TestDeadLettersOffline(t *testing.T) {
	const n = 2500
	c := graves(t, n, "users", "gone")
	o := offline(t, c)
	if got := count(t, o, control.Filter{}); got != 2*n {
		t.Errorf("%d dead letters, want %d", got, 2*n)
	}
	for prefix, want := range map[string]int{"ab": 2 * n, "sha256:abus": n, "abgone": n, "b": 0} {
		if got := count(t, o, control.Filter{Plugin: prefix}); got != want {
			t.Errorf("%d dead letters of plugin %s, want %d", got, prefix, want)
		}
	}
	var after string
	pages := 0
	for ; ; pages++ {
		last := after
		for d, err := range o.DeadLetters(t.Context(), control.Query{Filter: control.Filter{Limit: 1000}, After: after}) {
			must(t, err)
			last = d.ID
		}
		if last == after {
			break
		}
		after = last
	}
	if pages != 5 {
		t.Errorf("%d pages, want 5", pages)
	}
	changes(t, o, n)
	status, err := o.Status(t.Context())
	must(t, err)
	p := status.Pipelines
	if status.Running || len(p) != 2 || p[0].Name != "users" || p[0].Kept.Unsettled != n-10 || p[1].Name != "gone" || p[1].Kept.DeadLetters != n {
		t.Errorf("status %+v", status)
	}
}

// changes purges ten of users, and retries what there is.
func changes(t *testing.T, o *host.Offline, n int) {
	t.Helper()
	purged, err := o.Purge(t.Context(), control.Filter{Plugin: "abusers", Limit: 10})
	must(t, err)
	retried, err := o.Retry(t.Context(), control.Filter{})
	must(t, err)
	if purged != 10 || retried != n-10 {
		t.Errorf("%d purged, %d retried", purged, retried)
	}
	if got := count(t, o, control.Filter{Pipeline: "gone"}); got != n || count(t, o, control.Filter{}) != n {
		t.Errorf("%d dead letters of a pipeline that is gone, want %d", got, n)
	}
	for _, name := range []string{"gone", "nobody"} {
		var refused *control.RefusedError
		if _, err := o.Retry(t.Context(), control.Filter{Pipeline: name}); !errors.As(err, &refused) {
			t.Errorf("retry of pipeline %s: %v", name, err)
		}
	}
}

func TestOfflineNeedsAJournal(t *testing.T) {
	c := &config.Config{Journal: config.Journal{Enabled: true, Dir: filepath.Join(t.TempDir(), "j")}}
	if _, err := host.OpenOffline(c, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a journal: %v", err)
	}
	if _, err := os.Stat(c.Journal.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a journal was made: %v", err)
	}
	c = graves(t, 1, "users")
	offline(t, c)
	if _, err := host.OpenOffline(c, slog.New(slog.DiscardHandler)); !errors.Is(err, journal.ErrInUse) {
		t.Errorf("a second time: %v", err)
	}
	if _, _, err := host.CheckJournal(c, nil); !errors.Is(err, journal.ErrInUse) {
		t.Errorf("checked while it is in use: %v", err)
	}
}

// event is one that the plugin can handle, or not.
func event(t *testing.T, name string, good bool) []byte {
	t.Helper()
	e := &pb.Event{Id: name, Data: "{}"}
	if good {
		e.Data = person(name)
	}
	raw, err := proto.Marshal(e)
	must(t, err)
	return raw
}

// Dead letters run through the module that is named: what becomes of each is told,
// and no more are read than may be in flight.
func TestRetryThroughAModule(t *testing.T) {
	const total = 500
	s := newSite(t)
	c := s.config(batches)
	pipeline := c.Pipelines[0]
	pipeline.OnFailure, pipeline.MaxInFlight = "halt_partition", 50
	out := newBuffer()
	read, told := 0, map[string]message.Kind{}
	letters := func(yield func(control.DeadLetter, error) bool) {
		for ; read < total; read++ {
			name := fmt.Sprintf("n%d", read)
			if !yield(control.DeadLetter{ID: name, EventID: name, Event: event(t, name, read%5 != 0)}, nil) {
				return
			}
		}
	}
	must(t, host.Retry(t.Context(), cacheDir, pipeline, host.Options{Stdout: out}, letters, func(ended []host.Retried) {
		for _, r := range ended {
			told[r.ID] = r.Outcome.Kind
		}
	}))
	for n := range total {
		name := fmt.Sprintf("n%d", n)
		kind, ok := told[name]
		if want := n%5 == 0; !ok || (kind == message.Handler) != want || strings.Contains(out.String(), `"`+strings.ToUpper(name)+`"`) == want {
			t.Errorf("%s ended as %v, %v", name, kind, ok)
		}
	}

	broken := errors.New("the list ends here")
	err := host.Retry(t.Context(), cacheDir, pipeline, host.Options{}, func(yield func(control.DeadLetter, error) bool) {
		yield(control.DeadLetter{}, broken)
	}, func([]host.Retried) {})
	if !errors.Is(err, broken) {
		t.Errorf("a list that fails: %v", err)
	}
	pipeline.Plugin.Module = "none.wasm"
	if err := host.Retry(context.Background(), cacheDir, pipeline, host.Options{}, letters, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a module: %v", err)
	}
}
