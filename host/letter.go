package host

import (
	"bytes"
	"encoding/json"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/host/control"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// ExportedLetter is a dead letter as it leaves the journal. Its JSON form is
// documented in docs/dead-letters.md.
type ExportedLetter struct {
	control.DeadLetter

	// EventJSON is the event as people read it, absent if it is none.
	EventJSON json.RawMessage `json:"event_json,omitempty"`
}

// WholeLetter is a whole dead letter with its event in both forms.
func WholeLetter(d control.DeadLetter) ExportedLetter { return ExportedLetter{d, EventJSON(d.Event)} }

// EventJSON is an event's bytes as package eventjson reads them, nil if they are
// no event.
func EventJSON(event []byte) json.RawMessage {
	var e pb.Event
	if proto.Unmarshal(event, &e) != nil {
		return nil
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(&e)
	if err != nil {
		return nil
	}
	var compact bytes.Buffer // the library's own spaces are not the same everywhere
	if json.Compact(&compact, text) != nil {
		return nil
	}
	return compact.Bytes()
}
