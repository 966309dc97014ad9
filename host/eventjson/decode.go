package eventjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// decode reads a value of valid JSON into an event.
func decode(value []byte, event proto.Message) error {
	if value[0] != '{' {
		return fmt.Errorf("want a JSON object, found %s", kindOf(value))
	}
	known := event.ProtoReflect().Descriptor().Fields()
	given := make(map[protoreflect.FieldNumber]bool, known.Len())
	return members(value, func(name string, value json.RawMessage) error {
		field := find(known, name)
		switch {
		case field == nil:
			return fmt.Errorf("unknown field %.100q\nhint: the fields are %s", name, list(known))
		case given[field.Number()]:
			return fmt.Errorf("field %s is given twice", field.Name())
		}
		given[field.Number()] = true
		return set(event, field, value)
	})
}

// members calls f with each member of an object, in order.
func members(object []byte, f func(name string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := f(name.(string), value); err != nil {
			return err
		}
	}
	return nil
}

func find(fields protoreflect.FieldDescriptors, name string) protoreflect.FieldDescriptor {
	if field := fields.ByTextName(name); field != nil {
		return field
	}
	return fields.ByJSONName(name)
}

func list(fields protoreflect.FieldDescriptors) string {
	names := make([]string, fields.Len())
	for i := range names {
		names[i] = string(fields.Get(i).Name())
	}
	return strings.Join(names, ", ")
}

// set reads one field. It is read by itself, so that the error can name it: the
// library's own text is not the same from one build to the next.
func set(event proto.Message, field protoreflect.FieldDescriptor, value json.RawMessage) error {
	if field.Name() == "data" && value[0] != '"' {
		text, err := dataText(value)
		if err != nil {
			return err
		}
		value = text
	}
	object := fmt.Appendf(nil, "{%q:%s}", field.JSONName(), value)
	part := event.ProtoReflect().New().Interface()
	if protojson.Unmarshal(object, part) != nil {
		return fmt.Errorf("field %s is %s, want %s", field.Name(), kindOf(value), wanted(field))
	}
	proto.Merge(event, part)
	return nil
}

// dataText is the text of a JSON value, as a JSON string.
func dataText(value json.RawMessage) (json.RawMessage, error) {
	var text bytes.Buffer
	if err := json.Compact(&text, value); err != nil {
		return nil, err
	}
	var quoted bytes.Buffer
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	if err := e.Encode(text.String()); err != nil {
		return nil, errors.Join(errors.New("field data cannot be made text"), err)
	}
	return quoted.Bytes(), nil
}

func wanted(field protoreflect.FieldDescriptor) string {
	switch {
	case field.IsMap():
		return "an object of strings"
	case field.IsList():
		return "an array of strings"
	case field.Kind() == protoreflect.Int32Kind:
		return "an integer of 32 bits"
	}
	return "a string of Unicode text"
}

// kindOf says what a JSON value is.
func kindOf(value []byte) string {
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
