package abi

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// ErrFrame is wrapped by every error of a Parse function.
var ErrFrame = errors.New("malformed frame")

// The wire types of protobuf's encoding that a frame may hold. Groups (3, 4)
// are refused: proto3 never writes them.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// field is one key and its value: num with value for a varint, with bytes for
// a length-delimited one.
type field struct {
	num   uint64
	wire  uint8
	value uint64
	bytes []byte
}

// nextField cuts the first field off b.
func nextField(b []byte) (field, []byte, error) {
	key, n := binary.Uvarint(b)
	if n <= 0 {
		return field{}, nil, &frameError{problem: "a field's key is cut off"}
	}
	f := field{num: key >> 3, wire: uint8(key & 7)}
	if f.num == 0 || f.num > 1<<29-1 {
		return field{}, nil, f.malformed("has a number that is out of range")
	}
	return f.read(b[n:])
}

func (f field) read(b []byte) (field, []byte, error) {
	switch f.wire {
	case wireVarint:
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return f, nil, f.malformed("is cut off")
		}
		f.value = v
		return f, b[n:], nil
	case wireBytes:
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return f, nil, f.malformed("is longer than the frame")
		}
		end := n + int(size) //nolint:gosec // at most len(b)
		f.bytes = b[n:end:end]
		return f, b[end:], nil
	case wireFixed64:
		return f.skip(b, 8)
	case wireFixed32:
		return f.skip(b, 4)
	}
	return f, nil, f.malformed("has wire type " + strconv.Itoa(int(f.wire)))
}

func (f field) skip(b []byte, n int) (field, []byte, error) {
	if len(b) < n {
		return f, nil, f.malformed("is cut off")
	}
	return f, b[n:], nil
}

// is reports whether the field is number num of wire type wire; a known number
// with another type is an unknown field and skipped, as protobuf does.
func (f field) is(num uint64, wire uint8) bool { return f.num == num && f.wire == wire }

func (f field) text() (string, error) {
	if !utf8.Valid(f.bytes) {
		return "", f.malformed("is not UTF-8")
	}
	return string(f.bytes), nil
}

func (f field) uint32() (uint32, error) {
	if f.value > math.MaxUint32 {
		return 0, f.malformed("is out of range: " + strconv.FormatUint(f.value, 10))
	}
	return uint32(f.value), nil
}

// enum reads a value that must be at most last: a status that the host does
// not know must not pass for one that it does.
func (f field) enum(last uint8) (uint8, error) {
	if f.value > uint64(last) {
		return 0, f.malformed("has the unknown value " + strconv.FormatUint(f.value, 10))
	}
	return uint8(f.value), nil
}

func (f field) malformed(problem string) error { return &frameError{f.num, problem} }

// frameError says what is wrong with which field; field 0 stands for the frame.
// It is put together without fmt, which would add 0.7 MB to a Go guest.
type frameError struct {
	field   uint64
	problem string
}

func (e *frameError) Error() string {
	text := ErrFrame.Error() + ": "
	if e.field != 0 {
		text += "field " + strconv.FormatUint(e.field, 10) + " "
	}
	return text + e.problem
}

func (e *frameError) Unwrap() error { return ErrFrame }

func appendKey(dst []byte, num, wire uint8) []byte { return append(dst, num<<3|wire) }

// appendVarint writes a scalar field; the default value is not written.
func appendVarint(dst []byte, num uint8, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return binary.AppendUvarint(appendKey(dst, num, wireVarint), v)
}

func appendBytes[T []byte | string](dst []byte, num uint8, v T) []byte {
	dst = binary.AppendUvarint(appendKey(dst, num, wireBytes), uint64(len(v)))
	return append(dst, v...)
}

// appendText writes a string field; the empty string is not written.
func appendText(dst []byte, num uint8, v string) []byte {
	if v == "" {
		return dst
	}
	return appendBytes(dst, num, v)
}

func sizeUvarint(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

func sizeVarint(v uint64) int {
	if v == 0 {
		return 0
	}
	return 1 + sizeUvarint(v)
}

func sizeBytes(n int) int { return 1 + sizeUvarint(uint64(n)) + n } //nolint:gosec // a length

func sizeText(v string) int {
	if v == "" {
		return 0
	}
	return sizeBytes(len(v))
}
