package partition_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/partition"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func event(t testing.TB, e *pb.Event) *message.Message {
	t.Helper()
	b, err := proto.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return &message.Message{Event: b}
}

func parse(t testing.TB, text string) *partition.Field {
	t.Helper()
	f, err := partition.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if f.String() != text {
		t.Fatalf("%s is called %s", text, f)
	}
	return f
}

var full = &pb.Event{
	Name: "n", Topic: "t", GroupKey: "g", ReferenceKey: "r", TraceKey: "tr", UserKey: "u", AnonymousKey: "a",
	Context: map[string]string{"k": "v", "a.b": "dotted", "": "nameless"},
	Data: `{"s": "x", "n": 1.50, "t": true, "f": false, "z": null, "a": ["x", {"s": "y"}], "o": {"s": "deep", "1": "one"},
		"a.b": "dotted", "c\\d": "slashed", "*": "star", "#": "hash", "@this": "at", "\u00e9": "\u00e9\n", "s2": "", "s": "second"}`,
}

func TestValue(t *testing.T) {
	m := event(t, full)
	for field, want := range map[string]string{
		"name": "n", "topic": "t", "group_key": "g", "reference_key": "r", "trace_key": "tr", "user_key": "u", "anonymous_key": "a",
		"context.k": "v", "context.a.b": "dotted", "context.none": "", `context.a\.b`: "",
		"data.s": "x", "data.n": "1.50", "data.t": "true", "data.f": "false", "data.z": "", "data.none": "",
		"data.o": "", "data.o.s": "deep", "data.o.1": "one", "data.o.s.s": "", "data.s.s": "",
		"data.a": "", "data.a.0": "", "data.a.1.s": "", "data.a.#": "", "data.a.#.s": "", "data.a.s": "",
		`data.a\.b`: "dotted", `data.c\\d`: "slashed", "data.*": "star", "data.?": "", "data.#": "hash",
		"data.@this": "at", "data.s|@this": "", "data.é": "é\n", "data.s2": "",
	} {
		if got := parse(t, field).Value(m); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
}

func TestParseFails(t *testing.T) {
	for text, want := range map[string]error{
		"": partition.ErrUnknown, "id": partition.ErrUnknown, "User_key": partition.ErrUnknown, "user_key.x": partition.ErrUnknown,
		"context": partition.ErrUnknown, "context.": partition.ErrUnknown, "data": partition.ErrUnknown, "data.": partition.ErrUnknown,
		"data.a..b": partition.ErrPath, "data..": partition.ErrPath, "data.a.": partition.ErrPath,
		`data.a\`: partition.ErrPath, `data.a\n`: partition.ErrPath,
		"data." + strings.Repeat("a", 1020): partition.ErrUnknown,
	} {
		if _, err := partition.Parse(text); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

// Whatever is malformed has the empty value, a tower of brackets among it.
func TestMalformed(t *testing.T) {
	tower := strings.Repeat("[", 8<<20)
	field := parse(t, "data.k")
	for _, data := range []string{
		"", "null", "1", `"k"`, `{"k": "v"`, `{"k": "v"} x`, `{"k": v}`, `{"k": "v", "x": ` + tower + "}",
		`{"k": ` + tower, `{k: "v"}`, "{\"k\": \"\x01\"}", `["k", "v"]`,
	} {
		if got := field.Value(event(t, &pb.Event{Data: data})); got != "" {
			t.Errorf("%.40q has %q", data, got)
		}
	}
	user := parse(t, "user_key")
	for _, b := range []string{"\xff", "\x4a\x05abc", "\x4a\x01a\xff"} {
		if got := user.Value(&message.Message{Event: []byte(b)}); got != "" {
			t.Errorf("%q has %q", b, got)
		}
	}
}

// A value that goes on beyond 1,024 bytes ends there.
func TestLongValues(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	m := event(t, &pb.Event{UserKey: long, Context: map[string]string{"k": long}, Data: `{"k": "` + long + `"}`})
	for _, field := range []string{"user_key", "context.k", "data.k"} {
		if got := parse(t, field).Value(m); got != long[:1024] {
			t.Errorf("%s has %d bytes", field, len(got))
		}
	}
}

// The value is the pipeline's own: it does not keep the event alive, nor change
// with it.
func TestValueIsACopy(t *testing.T) {
	for _, field := range []string{"user_key", "context.k", "data.s", "data.n"} {
		m := event(t, full)
		before := parse(t, field).Value(m)
		after := strings.Clone(before)
		clear(m.Event)
		if before != after {
			t.Errorf("%s was %q and is %q", field, after, before)
		}
	}
}

// A value is all that is allocated; the standard library's JSON scanner is a
// second one when its pool is empty, as the race detector has it at times.
func TestAllocations(t *testing.T) {
	m := event(t, full)
	for field, most := range map[string]float64{"user_key": 1, "context.k": 1, "data.o.s": 2, "data.n": 2} {
		f := parse(t, field)
		if n := testing.AllocsPerRun(100, func() { f.Value(m) }); n > most {
			t.Errorf("%s: %v allocations, want at most %v", field, n, most)
		}
	}
}

// FuzzValue: no event makes a field panic, and a path leads where the standard
// library's decoder says.
func FuzzValue(f *testing.F) {
	f.Add("s", "", full.GetData())
	f.Add("o", "s", full.GetData())
	f.Add("a", "0", `{"a":[1,{"b":"\ud83d\ude00"}],"a":2}`)
	f.Add("#", "*", `{"#":{"*":-0.0e1}}`)
	escape := strings.NewReplacer(".", `\.`, `\`, `\\`)
	f.Fuzz(func(t *testing.T, first, second, data string) {
		text, path := "data."+escape.Replace(first), []string{first}
		if second != "" {
			text, path = text+"."+escape.Replace(second), append(path, second)
		}
		field, err := partition.Parse(text)
		valid := utf8.ValidString(data) && utf8.ValidString(first) && utf8.ValidString(second)
		if err != nil || !valid || strings.Contains(strings.ToLower(data), `\ud`) {
			return // what is no UTF-8, and halves of surrogate pairs, are read in many ways
		}
		if got, want := field.Value(event(t, &pb.Event{Data: data})), reference([]byte(data), path); got != want {
			t.Errorf("%s in %q: %q, want %q", text, data, got, want)
		}
	})
}

// FuzzEvent: no bytes and no text of a field make anything panic.
func FuzzEvent(f *testing.F) {
	whole, _ := proto.Marshal(full)
	for _, field := range []string{"user_key", "context.k", "data.o.s", `data.a\.b`} {
		f.Add(field, whole)
	}
	f.Fuzz(func(t *testing.T, text string, b []byte) {
		if field, err := partition.Parse(text); err == nil && len(field.Value(&message.Message{Event: b})) > 1024 {
			t.Error("a value that is too long")
		}
	})
}

// reference is the value by the standard library.
func reference(data []byte, path []string) string {
	if !json.Valid(data) {
		return ""
	}
	for _, key := range path {
		data = first(data, key)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	value, _ := decoder.Token()
	switch v := value.(type) {
	case string:
		return v[:min(len(v), 1024)]
	case json.Number:
		return v.String()[:min(len(v), 1024)]
	case bool:
		return map[bool]string{true: "true", false: "false"}[v]
	}
	return ""
}

// first is the raw value of an object's first member of a name.
func first(object []byte, key string) (value json.RawMessage) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	if start, _ := decoder.Token(); start != json.Delim('{') {
		return nil
	}
	for decoder.More() {
		name, _ := decoder.Token()
		_ = decoder.Decode(&value)
		if name == key {
			return value
		}
	}
	return nil
}

func BenchmarkValue(b *testing.B) {
	padding := strings.Repeat(`{"some":"padding","more":[1,2,3]},`, 30) + "0"
	m := event(b, &pb.Event{UserKey: "u", Context: map[string]string{"k": "v"}, Data: `{"list":[` + padding + `],"o":{"s":"deep"}}`})
	for _, text := range []string{"user_key", "context.k", "data.o.s"} {
		field := parse(b, text)
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(m.Event)))
			for b.Loop() {
				field.Value(m)
			}
		})
	}
}
