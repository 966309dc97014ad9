package eventjson_test

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/host/eventjson"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

func TestForms(t *testing.T) {
	a, b := &pb.Event{Id: "a", GroupKey: "g"}, &pb.Event{Id: "b"}
	for name, c := range map[string]struct {
		text string
		want []*pb.Event
	}{
		"nothing":         {"", nil},
		"space":           {" \n\t\r\n", nil},
		"an empty array":  {"[]", nil},
		"snake case":      {`{"id": "a", "group_key": "g"}`, []*pb.Event{a}},
		"camel case":      {`{"id": "a", "groupKey": "g"}`, []*pb.Event{a}},
		"array":           {`[{"id": "a", "group_key": "g"}, {"id": "b"}]`, []*pb.Event{a, b}},
		"JSON lines":      {"{\"id\": \"a\", \"group_key\": \"g\"}\n{\"id\": \"b\"}\n", []*pb.Event{a, b}},
		"on one line":     {`{"id": "b"}{"id": "b"} {"id": "b"}`, []*pb.Event{b, b, b}},
		"arrays, objects": {"[{\"id\": \"b\"}]\n[]{\"id\": \"b\"}[\n{\"id\": \"b\"}\n]", []*pb.Event{b, b, b}},
		"a mark of UTF-8": {"\ufeff{\"id\": \"b\"}", []*pb.Event{b}},
		"no field":        {"{}", []*pb.Event{{}}},
		"null":            {`{"id": "b", "name": null, "context": null}`, []*pb.Event{b}},
		"every kind": {
			`{"context": {"k": "v"}, "offset": -7, "errors": ["x", "y"], "data": "{\"n\": 1}"}`,
			[]*pb.Event{{Context: map[string]string{"k": "v"}, Offset: -7, Errors: []string{"x", "y"}, Data: `{"n": 1}`}},
		},
		"data as it is":  {`{"data": {"n": [1.50, "<é>", "\u0041\n"]}}`, []*pb.Event{{Data: `{"n":[1.50,"<é>","\u0041\n"]}`}}},
		"data as number": {`{"data": 12345678901234567890}`, []*pb.Event{{Data: `12345678901234567890`}}},
		"data as null":   {`{"data": null}`, []*pb.Event{{Data: `null`}}},
		"empty data":     {`{"data": ""}`, []*pb.Event{{}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := eventjson.Read[pb.Event](strings.NewReader(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(c.want) {
				t.Fatalf("got %d events, want %d: %v", len(got), len(c.want), got)
			}
			for i := range got {
				if !proto.Equal(got[i], c.want[i]) {
					t.Errorf("event %d is %v, want %v", i+1, got[i], c.want[i])
				}
			}
		})
	}
}

func TestFaults(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"not JSON":         {"\n\nhello", "line 3: event 1: not JSON: invalid character 'h' looking for beginning of value"},
		"cut off":          {"{\"name\": \"a\"}\n {\"name\": ", "line 2: event 2: the text ends in the middle"},
		"an open array":    {"[{},\n{}", "line 2: event 3: the text ends in the middle"},
		"only a bracket":   {"[", "line 1: event 1: the text ends in the middle"},
		"a comma too many": {"[{},\n{},\n]", "line 3: event 3: not JSON: invalid character ']' looking for beginning of value"},
		"no comma":         {"[{} {}]", "line 1: event 2: not JSON: expected comma after array element"},
		"only a comma":     {",", "line 1: event 1: not JSON: invalid character ',' looking for beginning of value"},
		"a loose bracket":  {"{}\n]", "line 2: event 2: not JSON: invalid character ']' looking for beginning of value"},
		"text":             {`"a"`, "line 1: event 1: want a JSON object, found a string"},
		"a number":         {"{} 7", "line 1: event 2: want a JSON object, found a number"},
		"array in array":   {"[[{}]]", "line 1: event 1: want a JSON object, found an array"},
		"null":             {"[\n\n{},\n\n  null]", "line 5: event 2: want a JSON object, found null"},
		"true":             {"true", "line 1: event 1: want a JSON object, found a boolean"},
		"not UTF-8":        {"{}\n{\"id\": \"\xff\"}", "line 2: event 2: not UTF-8"},
		"unknown": {"{}\n{\"nonsense\": 1}", "line 2: event 2: unknown field \"nonsense\"\n" +
			"hint: the fields are name, data, source, group_key, reference_key, trace_key, user_key, anonymous_key," +
			" occurred_at, context, data_schema, prev_id, available_at"},
		"twice":            {`{"name": "a", "name": "b"}`, "line 1: event 1: field name is given twice"},
		"in both cases":    {`{"groupKey": "a", "group_key": "b"}`, "line 1: event 1: field group_key is given twice"},
		"a number as name": {`{"name": 7}`, "line 1: event 1: field name is a number, want a string of Unicode text"},
		"half a character": {`{"name": "\ud800"}`, "line 1: event 1: field name is a string, want a string of Unicode text"},
		"context of lists": {`{"context": {"a": []}}`, "line 1: event 1: field context is an object, want an object of strings"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := eventjson.Read[pb.NewEvent](strings.NewReader(c.text))
			if err == nil || err.Error() != c.want {
				t.Fatalf("got  %v\nwant %s", err, c.want)
			}
			if _, ok := errors.AsType[*eventjson.Error](err); !ok {
				t.Errorf("the error is a %T", err)
			}
		})
	}
	for name, c := range map[string]struct{ text, want string }{
		"a large offset": {`{"offset": 3000000000}`, "line 1: event 1: field offset is a number, want an integer of 32 bits"},
		"errors as text": {`{"errors": "x"}`, "line 1: event 1: field errors is a string, want an array of strings"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := eventjson.Read[pb.Event](strings.NewReader(c.text)); err == nil || err.Error() != c.want {
				t.Fatalf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	if _, err := eventjson.Read[pb.Event](iotest.ErrReader(iotest.ErrTimeout)); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("got %v, want the reader's error", err)
	}
}

// Whatever is read can be written by the protobuf library, with names of either
// kind, and read again.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"id": "a", "group_key": "g", "context": {"k": "v"}, "errors": ["x"], "offset": 3}`,
		"[{\"data\": {\"n\": [1, {}]}}, {}]\n{\"dataSchema\": \"null\"}", "[{},]", `{"data": null}`, `{"id": "\ud800"}`, "\ufeff[", ",",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		events, err := eventjson.Read[pb.Event](strings.NewReader(string(text)))
		if err != nil {
			if _, ok := errors.AsType[*eventjson.Error](err); !ok {
				t.Fatalf("the error is a %T: %v", err, err)
			}
			return
		}
		for _, snake := range []bool{false, true} {
			var all []byte
			for _, e := range events {
				one, err := protojson.MarshalOptions{UseProtoNames: snake}.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, one...)
			}
			again, err := eventjson.Read[pb.Event](strings.NewReader(string(all)))
			if err != nil || len(again) != len(events) {
				t.Fatalf("read %d events, then %d of %s: %v", len(events), len(again), all, err)
			}
			for i := range again {
				if !proto.Equal(again[i], events[i]) {
					t.Fatalf("%v became %v", events[i], again[i])
				}
			}
		}
	})
}
