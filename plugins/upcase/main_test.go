package main

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/relayhost/relayhost/pdk/go/relaytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func event(data string) *relaytest.Event { return &relaytest.Event{Id: "1", Data: data} }

func TestUpcase(t *testing.T) {
	for data, want := range map[string]string{
		`{"person": {"first_name": "Bill"}}`:            "BILL",
		`{"person": {"first_name": "été straße"}}`:      "ÉTÉ STRAßE",
		`{"person": {"first_name": ""}}`:                "",
		`{"x": [{}], "person":{"first_name":"\u00e9"}}`: "É",
	} {
		got := relaytest.Message(t, nil, event(data))
		if got.Err != nil || string(got.Data) != want {
			t.Errorf("%s: %q, %v", data, got.Data, got.Err)
		}
	}
}

func TestUpcaseFails(t *testing.T) {
	for data, want := range map[string]string{
		``:                              "malformed JSON at byte 0",
		`{`:                             "malformed JSON at byte 1",
		`{}`:                            "person is missing",
		`{"person": {}}`:                "person.first_name is missing",
		`{"person": {"first_name": 7}}`: "person.first_name is a number, not a string",
		`{"person": ["first_name"]}`:    "person.first_name is missing",
		`{"person": "Bill"}`:            "person is a string, not an object or array",
	} {
		got := relaytest.Message(t, nil, event(data))
		if got.Err == nil || !strings.Contains(got.Err.Error(), want) || got.Data != nil {
			t.Errorf("%s: %q, %v, want %s", data, got.Data, got.Err, want)
		}
	}
}

func TestAnnounce(t *testing.T) {
	bill := relaytest.Result{Event: event("{}"), Data: []byte("BILL")}
	quoted := relaytest.Result{Event: event("{}"), Data: []byte("\"B\\\n\u00c9")}
	got := relaytest.Batch(t, nil, bill, quoted)
	want := `Got batch of finished jobs from processors.: ["BILL", "\"B\\\nÉ"]`
	if len(got.Records) != 1 || got.Records[0] != want || got.Errs[0] != nil || got.Errs[1] != nil {
		t.Errorf("got %q, %v", got.Records, got.Errs)
	}
}
