package eventrelay_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	source "github.com/relayhost/relayhost/host/source/eventrelay"

	"github.com/relayhost/relayhost/host/eventrelay"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// published is events of a log and their offsets.
func published(events []*pb.Event) (offsets []int) {
	for _, e := range events {
		offsets = append(offsets, int(e.GetOffset()))
	}
	return offsets
}

// readLog reads all of a range.
func readLog(t testing.TB, r *relay, log source.LogRange) (offsets []int, err error) {
	t.Helper()
	o := r.reach()
	conn, err := eventrelay.Dial(o)
	check(t, err)
	defer conn.Close() //nolint:errcheck // a test's own
	for m, broken := range source.ReadLog(t.Context(), conn, log) {
		if broken != nil {
			return offsets, broken
		}
		offsets = append(offsets, int(m.Position))
	}
	return offsets, nil
}

func TestReadLog(t *testing.T) {
	r := newRelay(t)
	all := published(r.publish(2500))
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		log  source.LogRange
		want []int
	}{
		"all":         {source.LogRange{}, all},
		"from":        {source.LogRange{From: int64(all[2000])}, all[2000:]},
		"stretch":     {source.LogRange{From: int64(all[10]), To: int64(all[1500])}, all[10:1501]},
		"one":         {source.LogRange{From: int64(all[7]), To: int64(all[7])}, all[7:8]},
		"none":        {source.LogRange{From: int64(all[8]), To: int64(all[7])}, nil},
		"beyond":      {source.LogRange{From: int64(all[2499]) + 1}, nil},
		"far end":     {source.LogRange{From: int64(all[2490]), To: 1 << 40}, all[2490:]},
		"query":       {source.LogRange{Query: "data.n < 10 or data.n >= 2495"}, append(all[:10:10], all[2495:]...)},
		"query, part": {source.LogRange{Query: "data.n < 10 or data.n >= 2495", From: int64(all[5]), To: int64(all[2495])}, append(all[5:10:10], all[2495])},
		"since":       {source.LogRange{Since: past}, all},
		"since later": {source.LogRange{Since: future}, nil},
		"until":       {source.LogRange{Since: past, Until: future, Query: "data.n == 3 or data.n == 4"}, all[3:5]},
		"until past":  {source.LogRange{Until: past}, nil},
	} {
		c.log.Topic = "users"
		if got, err := readLog(t, r, c.log); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %d events, want %d; %v", name, len(got), len(c.want), err)
		}
	}
}

func TestReadLogRefusesWhatTheServerIgnores(t *testing.T) {
	r := newRelay(t)
	for _, query := range []string{`name == "user.created"`, "name = 'x'", "garbage", "(name == 'x'", "name like 'x'"} {
		r.publish(1)
		_, err := readLog(t, r, source.LogRange{Topic: "users", Query: query})
		if !errors.Is(err, source.ErrQueryIgnored) || !strings.Contains(err.Error(), query) || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func TestReadLogSaysWhatIsWrong(t *testing.T) {
	t.Parallel() // it waits between its tries
	r := newRelay(t)
	r.publish(1)
	for want, log := range map[string]source.LogRange{
		"does it name a field that events have": {Topic: "users", Query: "nme == 'x'"},
		"is not attached":                       {Topic: "unheard"},
	} {
		if _, err := readLog(t, r, log); err == nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%+v: %v", log, err)
		}
	}
	r.consumer = "x"
	if _, err := readLog(t, r, source.LogRange{Topic: "users"}); err == nil || !strings.Contains(err.Error(), "the token is malformed") {
		t.Error(err)
	}
}
