package plugin_test

import (
	"slices"
	"testing"
	"time"

	"github.com/relayhost/relayhost/abi"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin"
)

var inShadow = plugin.TrialOptions{Share: 1, Shadow: true}

// compared waits until the shadow has done with n messages or batches.
func (o *office) compared(n int64) plugin.Trial {
	o.t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		r, err := o.Trial()
		if err != nil {
			o.t.Fatal(err)
		}
		if r.Compared+r.Skipped >= n {
			return r
		}
		if time.Since(began) > time.Minute {
			o.t.Fatalf("of %d: %+v", n, r)
		}
	}
}

// fixed is a guest whose handle_message answers with one result, whatever comes.
func fixed(t *testing.T, result abi.MessageResult) []byte {
	t.Helper()
	text := result.Append(nil)
	return taggedWith(t, text)
}

// taggedWith replaces the tagger's result of ten bytes.
func taggedWith(t *testing.T, text []byte) []byte {
	t.Helper()
	was := []byte("\x2a\x08version0")
	if len(text) > len(was) {
		t.Fatalf("a result of %d bytes", len(text))
	}
	for len(text) < len(was)-1 {
		text = append(text, 0x78, 0) // field 15, which nobody knows
	}
	if len(text) < len(was) {
		t.Fatalf("a result of an odd number of bytes: %x", text)
	}
	file := module(t, "tagger")
	at := slices.Index(file, was[0])
	for string(file[at:at+len(was)]) != string(was) {
		at += 1 + slices.Index(file[at+1:], was[0])
	}
	return slices.Concat(file[:at], text, file[at+len(was):])
}

// A shadow names the fields in which it differs; what goes on is the live
// version's.
func TestShadowDifferences(t *testing.T) {
	flush := abi.BatchModeFlush
	same := abi.MessageResult{Batcher: pointer("abcd"), Data: []byte{}}
	for _, c := range []struct {
		live, candidate abi.MessageResult
		want            []string
	}{
		{same, same, nil},
		{abi.MessageResult{Data: []byte("abcd")}, abi.MessageResult{Data: []byte("abce")}, []string{"data"}},
		{abi.MessageResult{Data: []byte{}}, abi.MessageResult{}, []string{"data"}},
		{abi.MessageResult{Batcher: pointer("ab")}, abi.MessageResult{Batcher: pointer("ac")}, []string{"batcher"}},
		{abi.MessageResult{BatchKey: pointer("ab")}, abi.MessageResult{}, []string{"batch_key"}},
		{abi.MessageResult{BatchMode: &flush}, abi.MessageResult{}, []string{"flush"}},
		{abi.MessageResult{OnFailure: abi.OnFailureDrop}, abi.MessageResult{}, []string{"on_failure"}},
		{abi.MessageResult{}, abi.MessageResult{Status: abi.StatusFailed}, []string{"outcome"}},
		{abi.MessageResult{Status: abi.StatusFailed, Reason: "ab"}, abi.MessageResult{Status: abi.StatusFailed, Reason: "ac"}, []string{"reason"}},
		{abi.MessageResult{Status: abi.StatusFailed, Retryable: true}, abi.MessageResult{Status: abi.StatusFailed}, []string{"retryable"}},
		{abi.MessageResult{Outputs: []abi.Output{{Data: []byte("ab")}}}, abi.MessageResult{Outputs: []abi.Output{{}}}, []string{"outputs"}},
	} {
		o := newOffice(t, fixed(t, c.live))
		s := o.sit(message.StageProcessors)
		o.try(fixed(t, c.candidate), inShadow)
		m := order(cmdCount)
		if by := handled(s, m); by != o.Live().Digest() {
			t.Errorf("handled by %s", by)
		}
		r := o.compared(1)
		if r.Compared != 1 || r.Differed != int64(min(len(c.want), 1)) || r.Skipped != 0 {
			t.Errorf("%v: %+v", c.want, r)
		}
		if len(c.want) > 0 && (len(r.Differences) != 1 || r.Differences[0].EventID != m.ID || !slices.Equal(r.Differences[0].Fields, c.want)) {
			t.Errorf("want %v, got %+v", c.want, r.Differences)
		}
	}
}

// The records of a batch are compared, of messages that the shadow has handled
// itself.
func TestShadowBatch(t *testing.T) {
	a := taggedAs(t, "version1")
	for name, c := range map[string]struct {
		candidate []byte
		fields    []string
	}{
		"same":    {revision(a, 'b'), nil},
		"differs": {taggedAs(t, "version2"), []string{"records"}},
	} {
		o := newOffice(t, a)
		s := o.sit(message.StageBatchers)
		o.try(c.candidate, inShadow)
		batch := &message.Batch{Batcher: message.DefaultBatcher}
		for _, id := range []string{"1", "2"} {
			batch.Messages = append(batch.Messages, &message.Message{
				ID: id, Event: []byte(id), Attempt: 1, Plugin: plugin.Digest(a), Data: []byte("version1"), Batcher: message.DefaultBatcher,
			})
		}
		s.Begin()
		result := s.HandleBatch(batch)
		s.End()
		if got := string(result.Records[0].Data[:8]); got != "version1" || batch.Plugin != plugin.Digest(a) {
			t.Errorf("%s: the live version's record is by %q", name, got)
		}
		r := o.compared(1)
		if r.Compared != 1 || len(r.Differences) != min(len(c.fields), 1) {
			t.Errorf("%s: %+v", name, r)
		}
		for _, d := range r.Differences {
			if d.EventID != "1" || !slices.Equal(d.Fields, c.fields) {
				t.Errorf("%s: %+v", name, d)
			}
		}
	}
}

// A shadow that is too slow skips, and never holds up the live version; one that
// fails all the time is asked no more; either can be dropped at once.
func TestShadowOverload(t *testing.T) {
	a := fixed(t, abi.MessageResult{})
	o := newOfficeWith(t, a, plugin.Limits{Message: plugin.Limit{Deadline: time.Hour, Fuel: 1 << 60}})
	s := o.sit(message.StageProcessors)
	o.try(module(t, "puppet"), inShadow)
	for range 1000 {
		handled(s, order(cmdSpin))
	}
	r, err := o.Trial()
	if err != nil || r.Skipped < 700 || r.Live.Messages != 1000 {
		t.Errorf("%v, %+v", err, r)
	}
	large := order(cmdSpin)
	large.Event = append(large.Event, make([]byte, 17<<20)...)
	handled(s, large)
	if now, err := o.Trial(); err != nil || now.Skipped != r.Skipped+1 {
		t.Errorf("%v, %+v", err, now)
	}
	if err := o.Drop(o.ctx); err != nil {
		t.Error(err)
	}
}

func TestShadowRests(t *testing.T) {
	o := newOffice(t, fixed(t, abi.MessageResult{}))
	s := o.sit(message.StageProcessors)
	o.try(module(t, "puppet"), inShadow)
	for n := range int64(100) {
		handled(s, order(cmdTrap))
		o.compared(n + 1)
	}
	if r, err := o.Trial(); err != nil || !r.Resting || r.Candidate.Failures != 20 || r.Compared != 20 || r.Skipped != 80 || len(r.Differences) != 10 {
		t.Errorf("%v, %+v", err, r)
	}
}
