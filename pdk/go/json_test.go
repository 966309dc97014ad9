package relay_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

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

// FuzzJSON holds the scanner against encoding/json: the same texts are JSON, and
// the same values are found in them.
func FuzzJSON(f *testing.F) {
	for _, doc := range []string{person, `{}`, `[[1,2],{"a":[null]}]`, `"\ud800\u0061\"`, "\"\xff\"", ` 1e400 `, `-0.0`, `{"a":1,"a":2}`} {
		f.Add(doc, "person", "first_name")
	}
	f.Fuzz(func(t *testing.T, doc, a, b string) {
		whole := relay.JSON(doc).Get()
		if valid := json.Valid([]byte(doc)); valid != whole.Exists() && !strings.Contains(fmt.Sprint(whole.Err()), "deep") {
			t.Fatalf("encoding/json says %v, the scanner %v", valid, whole.Err())
		}
		if !whole.Exists() {
			return
		}
		var want map[string]map[string]any
		if json.Unmarshal([]byte(doc), &want) != nil || !utf8.ValidString(doc) {
			return
		}
		value, ok := want[a][b]
		got := relay.JSON(doc).Get(a, b)
		if ok && want[a] != nil && !repeated(doc) && !got.Exists() {
			t.Fatalf("%q.%q is %v, the scanner says %v", a, b, value, got.Err())
		}
		if text, isText := value.(string); isText && got.Exists() && !repeated(doc) {
			if read, err := got.Text(); err != nil || read != text {
				t.Fatalf("%q.%q is %q, the scanner reads %q, %v", a, b, text, read, err)
			}
		}
	})
}

// repeated reports whether a key may occur twice, where the two differ: the
// library merges what maps to a map, the scanner takes the last.
func repeated(doc string) bool {
	d := json.NewDecoder(strings.NewReader(doc))
	seen := map[string]bool{}
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		if text, ok := token.(string); ok {
			if seen[text] {
				return true
			}
			seen[text] = true
		}
	}
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
