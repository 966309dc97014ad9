package devserver

import (
	"encoding/json"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/host/devserver/internal/query"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// eventFields are the fields that a query may name.
var eventFields = query.Fields{
	"id": query.UUID, "name": query.Text, "source": query.Text, "offset": query.Number,
	"topic_name": query.Text, "topic_identifier": query.Text,
	"group_key": query.Text, "reference_key": query.Text, "trace_key": query.Text,
	"user_key": query.Text, "anonymous_key": query.Text, "prev_id": query.UUID,
	"occurred_at": query.Time, "available_at": query.Time,
	"data": query.Tree, "context": query.Tree,
}

// row gives a query the values of one record after the other. The event is
// decoded when the first value needs it, its data when a value of it is asked
// for.
type row struct {
	record *record
	event  *pb.Event
	data   any
}

// matches says whether the record passes q; all pass nil.
func (w *row) matches(q *query.Query, r *record) bool {
	if q == nil {
		return true
	}
	*w = row{record: r}
	return q.Match(w)
}

// Value is what the query asks for.
func (w *row) Value(path []string) any {
	switch path[0] {
	case "offset":
		return int64(w.record.offset)
	case "topic_name":
		return w.record.topic
	case "topic_identifier":
		return orNull(w.record.identifier)
	}
	if w.event == nil {
		w.event = new(pb.Event)
		if proto.Unmarshal(w.record.wire(), w.event) != nil {
			return nil // cannot be: newRecord encoded it
		}
	}
	if path[0] != "data" {
		return column(w.event, path)
	}
	if w.data == nil {
		w.data = decodeData(w.event.GetData())
	}
	return query.Walk(w.data, path[1:])
}

func decodeData(text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

func column(e *pb.Event, path []string) any {
	if path[0] == "context" {
		if v, ok := e.GetContext()[path[1]]; ok && len(path) == 2 {
			return v
		}
		return nil
	}
	m := e.ProtoReflect()
	return orNull(m.Get(m.Descriptor().Fields().ByTextName(path[0])).String())
}

// orNull: the real server stores empty text as null, which matches nothing.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
