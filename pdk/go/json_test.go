package relay_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	relay "github.com/relayhost/relayhost/pdk/go"
)

const person = `{
  "person": {"first_name": "Bill", "last_name": "Roberts", "age": 41, "ratio": 2.5e1, "tall": true, "none": null,
    "names": ["Bill", "B\u00e9tty", "\ud83d\ude00"]},
  "a\"b": {"\u0070": 1}
}`

func ExampleJSON_Get() {
	name, err := relay.JSON(person).Get("person", "first_name").Text()
	fmt.Println(name, err)
	_, err = relay.JSON(person).Get("person", "middle_name").Text()
	fmt.Println(err, errors.Is(err, relay.ErrMissing))
	// Output:
	// Bill <nil>
	// person.middle_name is missing true
}

func TestGet(t *testing.T) {
	j := relay.JSON(person)
	for path, want := range map[string]string{
		"person.first_name": `"Bill"`,
		"person.age":        "41",
		"person.tall":       "true",
		"person.none":       "null",
		"person.names.1":    `"B\u00e9tty"`,
		`a"b.p`:             "1",
	} {
		v := j.Get(strings.Split(path, ".")...)
		if string(v.Raw()) != want || !v.Exists() || v.Err() != nil {
			t.Errorf("%s: %s, %v", path, v.Raw(), v.Err())
		}
	}
	if text, err := j.Get("person", "names").Get("2").Text(); text != "😀" || err != nil {
		t.Errorf("a value's value: %q, %v", text, err)
	}
	var all []string
	for v := range j.Get("person", "names").Elements() {
		text, err := v.Text()
		all = append(all, text)
		if err != nil {
			t.Error(err)
		}
	}
	if strings.Join(all, " ") != "Bill Bétty 😀" {
		t.Errorf("elements: %q", all)
	}
	if n, err := j.Get("person", "age").Int(); n != 41 || err != nil {
		t.Errorf("age: %d, %v", n, err)
	}
	if f, err := j.Get("person", "ratio").Float(); f != 25 || err != nil {
		t.Errorf("ratio: %v, %v", f, err)
	}
	if b, err := j.Get("person", "tall").Bool(); !b || err != nil {
		t.Errorf("tall: %v, %v", b, err)
	}
	if !j.Get("person", "none").IsNull() {
		t.Error("none is not null")
	}
}

func TestGetErrors(t *testing.T) {
	text := func(v relay.Value) error { _, err := v.Text(); return err }
	for _, c := range []struct{ json, path, want string }{
		{person, "person.nobody", "person.nobody is missing"},
		{person, "nobody.first_name", "nobody is missing"},
		{person, "person.age", "person.age is a number, not a string"},
		{person, "person.age.years", "person.age is a number, not an object or array"},
		{person, "person.names.7", "person.names.7 is missing"},
		{person, "person.names.01", "person.names.01 is missing"},
		{`{"a": 1`, "b", "b cannot be read: malformed JSON at byte 7: unexpected end"},
		{`{"a": x}`, "a", "a cannot be read: malformed JSON at byte 6: unexpected 'x'"},
		{`{"a": 1} 2`, "a", "a cannot be read: malformed JSON at byte 9: unexpected '2'"},
		{`[1`, "", "the JSON text cannot be read"},
		{``, "a", "a cannot be read: malformed JSON at byte 0: unexpected end"},
		{strings.Repeat("[", 501), "a", "more than 500 containers deep"},
	} {
		var path []string
		if c.path != "" {
			path = strings.Split(c.path, ".")
		}
		if err := text(relay.JSON(c.json).Get(path...)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40s %s: %v, want %s", c.json, c.path, err, c.want)
		}
	}
	if _, err := relay.JSON(`9223372036854775808`).Get().Int(); err == nil {
		t.Error("an integer beyond 64 bits")
	}
	for range relay.JSON(`{}`).Get().Elements() {
		return
	}
	t.Error("the elements of an object gave no error")
}

// Looking for a value allocates nothing, whether it is there or not.
func TestGetAllocations(t *testing.T) {
	j := relay.JSON(person)
	if n := testing.AllocsPerRun(100, func() {
		if v := j.Get("person", "first_name"); !v.Exists() || j.Get("person", "nobody").Exists() {
			t.Error("found the wrong one")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzJSON holds the scanner against encoding/json: the same texts are JSON, and
// the same values are found in them.
func FuzzJSON(f *testing.F) {
	for _, doc := range []string{
		person, `{}`, `[[1,2],{"a":[null]}]`, `"\ud800\u0061"`, "\"\xff\"", ` 1e400 `, `-0.0`, `01`, `[1,]`, "\"a\tb\"",
		`{"a":{"b":1},"\u0061":2}`, `{"a":2,"a":{"b":"\udbff\udfff\udbff"}}`, "{\"\xff\":{\"é\":\"0123456789\xe2\"}}",
	} {
		f.Add(doc, "person", "names")
		f.Add(doc, "a", "b")
		f.Add(doc, "1", "a")
		f.Add(doc, "\ufffd", "é")
	}
	f.Fuzz(func(t *testing.T, doc, a, b string) {
		whole := relay.JSON(doc).Get()
		if err := whole.Err(); err != nil && strings.Contains(err.Error(), "deep") {
			return // the one difference, tested above
		}
		if valid := json.Valid([]byte(doc)); valid != whole.Exists() {
			t.Fatalf("encoding/json says %v, the scanner %v", valid, whole.Err())
		}
		if !whole.Exists() {
			return
		}
		same(t, whole, decode(t, []byte(doc)), a, b)
	})
}

// same compares the value at a path in what the scanner and the library read.
func same(t *testing.T, got relay.Value, want any, path ...string) {
	t.Helper()
	if text, isText := want.(string); isText {
		if read, err := got.Text(); err != nil || read != text {
			t.Fatalf("%s is %q, the scanner reads %q, %v", got.Raw(), text, read, err)
		}
	} else if read := decode(t, got.Raw()); !cmp.Equal(read, want) {
		t.Fatalf("%v, the scanner finds %v", want, read)
	}
	if items, isArray := want.([]any); isArray {
		i := 0
		for item := range got.Elements() {
			same(t, item, items[i])
			i++
		}
		if i != len(items) {
			t.Fatalf("%d elements, the scanner yields %d", len(items), i)
		}
	}
	if len(path) == 0 {
		return
	}
	below, ok := child(want, path[0])
	if v := got.Get(path[0]); ok {
		same(t, v, below, path[1:]...)
	} else if v.Exists() {
		t.Fatalf("the scanner finds %s at %q", v.Raw(), path[0])
	}
	if len(path) == 2 && ok {
		deep, ok := child(below, path[1])
		if v := got.Get(path...); ok {
			same(t, v, deep)
		} else if v.Exists() {
			t.Fatalf("the scanner finds %s at %q", v.Raw(), path)
		}
	}
}

func child(of any, element string) (any, bool) {
	switch of := of.(type) {
	case map[string]any:
		v, ok := of[element]
		return v, ok
	case []any:
		if i, err := strconv.Atoi(element); err == nil && strconv.Itoa(i) == element && 0 <= i && i < len(of) {
			return of[i], true
		}
	}
	return nil, false
}

func decode(t *testing.T, doc []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func BenchmarkJSON(b *testing.B) {
	doc := []byte(person)
	b.Run("scanner", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := relay.JSON(doc).Get("person", "first_name").Text(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v struct {
				Person struct {
					FirstName string `json:"first_name"`
				} `json:"person"`
			}
			if err := json.Unmarshal(doc, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
