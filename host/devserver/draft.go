package devserver

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// maxEventName is the real server's bound, in characters.
const maxEventName = 255

// drafter checks what publishers send, and makes events of it that lack an id
// and an offset only. It serves one call.
type drafter struct {
	topic   string
	now     string
	schemas schemas
}

func newDrafter(topic string, now time.Time) *drafter {
	return &drafter{topic: topic, now: stamp(now), schemas: schemas{}}
}

// stamp writes a time as EventRelay does: UTC, cut to seconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// durable makes an event that will be stored.
func (d *drafter) durable(n *pb.NewEvent) (*pb.Event, error) {
	e, err := d.passing(n)
	if err != nil {
		return nil, err
	}
	data, value, err := canonicalObject(n.GetData())
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	e.Data = data
	if e.DataSchema, err = d.schemas.check(n.GetDataSchema(), value); err != nil {
		return nil, fmt.Errorf("data_schema: %w", err)
	}
	if e.OccurredAt == "" {
		e.OccurredAt = d.now
	}
	if e.AvailableAt == "" {
		e.AvailableAt = d.now
	}
	return e, nil
}

// passing makes the answer to an event that will not be stored: the real
// server hands it back without its data.
func (d *drafter) passing(n *pb.NewEvent) (*pb.Event, error) {
	if err := checkText(n); err != nil {
		return nil, err
	}
	occurred, err := readTime(n.GetOccurredAt())
	if err != nil {
		return nil, fmt.Errorf("occurred_at: %w", err)
	}
	available, err := readTime(n.GetAvailableAt())
	if err != nil {
		return nil, fmt.Errorf("available_at: %w", err)
	}
	return &pb.Event{
		Name: n.GetName(), Topic: d.topic, Data: "null", Source: n.GetSource(), Context: n.GetContext(),
		GroupKey: n.GetGroupKey(), ReferenceKey: n.GetReferenceKey(), TraceKey: n.GetTraceKey(),
		UserKey: n.GetUserKey(), AnonymousKey: n.GetAnonymousKey(), PrevId: n.GetPrevId(),
		OccurredAt: occurred, AvailableAt: available, DataSchema: "null",
	}, nil
}

func checkText(n *pb.NewEvent) error {
	switch {
	case strings.TrimSpace(n.GetName()) == "":
		return errors.New("name is blank")
	case utf8.RuneCountInString(n.GetName()) > maxEventName:
		return fmt.Errorf("name is longer than %d characters", maxEventName)
	case strings.TrimSpace(n.GetSource()) == "":
		return errors.New("source is blank")
	}
	if n.GetPrevId() != "" && uuid.Validate(n.GetPrevId()) != nil {
		return errors.New("prev_id is not a UUID")
	}
	return checkNUL(n)
}

// checkNUL refuses what PostgreSQL cannot store.
func checkNUL(n *pb.NewEvent) (err error) {
	n.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Kind() == protoreflect.StringKind && strings.Contains(v.String(), "\x00") {
			err = fmt.Errorf("%s has a NUL character", f.Name())
		}
		return err == nil
	})
	for k, v := range n.GetContext() {
		if strings.Contains(k, "\x00") || strings.Contains(v, "\x00") {
			err = errors.New("context has a NUL character")
		}
	}
	return err
}

func readTime(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return "", err
	}
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return "", fmt.Errorf("year %d cannot be written", y)
	}
	return stamp(t), nil
}
