package relay_test

import (
	"encoding/json"
	"strings"
	"testing"

	relay "github.com/relayhost/relayhost/pdk/go"
)

// plain has all that is read eight bytes at a time, and in such numbers that
// most of it is far from the text's end.
const plain = `{"id":4711,"kind": "signup", "tags":["new","a longer one","",[],{},[[1,2],{"a":null}]],"zero":0,"half":0.5,` +
	`"e":1.25,"yes":true,"no":false,"none":null,"person":{"title":"Dr","first_nam_":1,"first_name":"Hildegard",` +
	`"last_name":"von Bingen","of":{"city":"Bingen","zip":["55411"]}},"agent":"Mozilla/5.0 (X11)","ms":1834.25,"big":12345678901234567}`

// A text that differs from JSON in one byte is refused where encoding/json
// refuses it, and is read as that reads it elsewhere.
func TestOneByteOff(t *testing.T) {
	try := func(doc string) {
		t.Helper()
		whole := relay.JSON(doc).Get()
		if valid := json.Valid([]byte(doc)); valid != whole.Exists() {
			t.Fatalf("encoding/json says %v, the scanner %v:\n%s", valid, whole.Err(), doc)
		}
		if v := relay.JSON(doc).Get("person", "first_name"); !whole.Exists() {
			if _, err := v.Text(); err == nil || v.Exists() {
				t.Fatalf("found %s, %v in malformed text:\n%s", v.Raw(), err, doc)
			}
			return
		}
		same(t, whole, decode(t, []byte(doc)), "person", "first_name")
	}
	for i := range plain {
		try(plain[:i])
		try(plain[:i] + plain[i+1:])
		for _, c := range []byte("\"\\,:.{}[] \n0-e\x80") {
			try(plain[:i] + string(c) + plain[i+1:])
			try(plain[:i] + string(c) + plain[i:])
		}
	}
}

// How deep a text may be does not depend on what it is made of.
func TestDepthOfPlainText(t *testing.T) {
	for _, item := range []string{"[", `{"name":`, `["text",`, `{"name":"text","other":`} {
		ends := map[byte]string{'[': "]", '{': "}"}
		for depth := 490; depth <= 510; depth++ {
			doc := strings.Repeat(item, depth) + `"the innermost"` + strings.Repeat(ends[item[0]], depth)
			if v := relay.JSON(doc).Get(); v.Exists() != (depth <= 500) {
				t.Errorf("%d times %s: %v", depth, item, v.Err())
			}
		}
	}
}

// What was found counts for nothing if the text proves malformed behind it, or
// has another member of the name.
func TestFoundTooSoon(t *testing.T) {
	for _, doc := range []string{
		`{"a":{"b":"x"}} 2`, `{"a":{"b":"x"}`, `{"a":{"b":"x"},"a":{}}`, `{"a":{"b":"x"},"a":1}`, `{"a":{"b":"x"},"a":{"b":["y"]}}`,
	} {
		if text, err := relay.JSON(doc).Get("a", "b").Text(); err == nil {
			t.Errorf("%s: %q", doc, text)
		}
	}
}
