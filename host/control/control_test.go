package control_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/control"
)

// What a client is told is what the host has said.
func TestClientSeesTheHost(t *testing.T) {
	host := &fake{letters: 2500}
	path, _ := serve(t, host)
	c := dial(t, path)
	ctx := t.Context()

	got, err := c.Status(ctx)
	must(t, err)
	want, err := host.Status(ctx)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("status %+v, want %+v", got, want)
	}
	d, err := c.DeadLetter(ctx, "000000000001")
	must(t, err)
	if !reflect.DeepEqual(d, letter(1, true)) {
		t.Errorf("dead letter %+v, want %+v", d, letter(1, true))
	}
	if _, err := c.DeadLetter(ctx, "7/../status?x"); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("a dead letter that is not there: %v", err)
	}
	q := control.Query{Filter: control.Filter{
		Pipeline: "a & b", Plugin: "sha256:ab", Kind: "trap", Since: moment, Until: moment.Add(1), Limit: 2000,
	}, After: "7", Whole: true}
	n := 0
	for d, err := range c.DeadLetters(ctx, q) {
		must(t, err)
		if n++; !reflect.DeepEqual(d, letter(n, true)) {
			t.Fatalf("dead letter %+v, want %+v", d, letter(n, true))
		}
	}
	if n != 2000 || !reflect.DeepEqual(host.query, q) {
		t.Errorf("%d dead letters of %+v, want %+v", n, host.query, q)
	}
}

// More ids than one request takes are several requests; the limit is of all.
func TestManyIDs(t *testing.T) {
	host := &fake{}
	path, _ := serve(t, host)
	c := dial(t, path)
	var f control.Filter
	for i := range 2500 {
		f.IDs = append(f.IDs, fmt.Sprintf("%012d", i))
	}
	n, err := c.Retry(t.Context(), f)
	must(t, err)
	if n != 2500 || len(host.asked) != 3 {
		t.Errorf("%d retried in %d requests", n, len(host.asked))
	}
	n = 0
	for _, err := range c.DeadLetters(t.Context(), control.Query{Filter: f}) {
		must(t, err)
		n++
	}
	if n != 2500 {
		t.Errorf("%d listed", n)
	}
	host.asked, f.Limit = nil, 1500
	_, err = c.Purge(t.Context(), f)
	must(t, err)
	if len(host.asked) != 2 || host.asked[0].Limit != 1500 || host.asked[1].Limit != 500 {
		t.Errorf("%d requests, %+v", len(host.asked), host.asked[1].Limit)
	}
}

// An error of the host's is the client's, also in the middle of a list.
func TestErrors(t *testing.T) {
	path, _ := serve(t, &fake{letters: 3, broken: errors.New("the disk\nhint: buy another")})
	c := dial(t, path)
	const want = "the host answers: the disk\nhint: buy another"
	_, status := c.Status(t.Context())
	_, one := c.DeadLetter(t.Context(), "000000000001")
	_, retry := c.Retry(t.Context(), control.Filter{})
	_, purge := c.Purge(t.Context(), control.Filter{Kind: "trap"})
	var list error
	n := 0
	for _, err := range c.DeadLetters(t.Context(), control.Query{}) {
		n, list = n+1, err
	}
	for what, err := range map[string]error{"status": status, "one": one, "retry": retry, "purge": purge, "list": list} {
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n != 4 {
		t.Errorf("%d items in the list", n)
	}
}

// Nobody purges everything by accident.
func TestPurgeOfAll(t *testing.T) {
	host := &fake{}
	path, _ := serve(t, host)
	c := dial(t, path)
	_, err := c.Purge(t.Context(), control.Filter{Limit: 5})
	if err == nil || !strings.Contains(err.Error(), `{"all": true}`) || len(host.asked) > 0 {
		t.Errorf("purge of all: %v", err)
	}
	_, err = c.Purge(t.Context(), control.Filter{All: true})
	must(t, err)
}

// The socket is the user's alone, replaces one that is stale, and is gone at the
// end.
func TestSocket(t *testing.T) {
	path := socket(t)
	if _, err := control.Dial(path); !errors.Is(err, control.ErrNoHost) {
		t.Errorf("dial without a socket: %v", err)
	}
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	must(t, err)
	dead.SetUnlinkOnClose(false)
	must(t, dead.Close())
	if _, err := control.Dial(path); !errors.Is(err, control.ErrNoHost) {
		t.Errorf("dial a stale socket: %v", err)
	}
	stop := serveAt(t, path, &fake{})
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode is %v", info.Mode())
	}
	if _, err := control.Listen(path, &fake{}); err == nil || !strings.Contains(err.Error(), "another host listens there") {
		t.Errorf("a second host: %v", err)
	}
	stop()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is there at the end: %v", err)
	}

	must(t, os.WriteFile(path, []byte("mine"), 0o600))
	if _, err := control.Listen(path, &fake{}); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("in place of a file: %v", err)
	}
	long := path + strings.Repeat("x", 120)
	if _, err := control.Listen(long, &fake{}); !errors.Is(err, control.ErrTooLong) {
		t.Errorf("a long path: %v", err)
	}
	if _, err := control.Dial(long); !errors.Is(err, control.ErrNoHost) {
		t.Errorf("dial a long path: %v", err)
	}
}

// A server that is not run is closed.
func TestClose(t *testing.T) {
	path := socket(t)
	s, err := control.Listen(path, &fake{})
	must(t, err)
	must(t, s.Close())
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is there after Close: %v", err)
	}
}

// Trouble is said in sentences, and there is none if all is well.
func TestTrouble(t *testing.T) {
	well := control.Status{Running: true, Pipelines: []control.Pipeline{
		{Name: "a", Phase: "running", Received: 3, Settled: map[string]int64{"ok": 1, "trap": 1}, InFlight: 1},
	}, Journal: &control.Journal{Bytes: 1, MaxBytes: 2}}
	if got := well.Trouble(); len(got) > 0 {
		t.Errorf("all is well: %q", got)
	}
	ill := control.Status{Running: true, Pipelines: []control.Pipeline{
		{Name: "a", Phase: "failed"},
		{Name: "b", Phase: "ended", HaltedPartitions: 1, HaltedMessages: 2},
		{Name: "c", Phase: "running", Received: 3},
	}, Journal: &control.Journal{Bytes: 2, MaxBytes: 2, Full: true}}
	want := []string{
		`pipeline "a" ended with an error`, `pipeline "b" has ended`, `pipeline "b" has 1 halted`,
		`the books of pipeline "c" do not balance: received 3, settled 0, in flight 0`, "the journal is full",
	}
	got := ill.Trouble()
	for i := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], want[i]) {
			t.Fatalf("trouble %q, want %q", got, want)
		}
	}
	ill.Journal.Error = "no space"
	if all := strings.Join(ill.Trouble(), ";"); !strings.HasSuffix(all, ";no space") {
		t.Errorf("trouble %q", all)
	}
}
