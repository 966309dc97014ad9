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
	key, start, end, err := cut(b, 0)
	if err != nil {
		return field{}, nil, err
	}
	f := field{num: key >> 3, wire: uint8(key & 7)}
	switch f.wire {
	case wireVarint:
		f.value, _ = binary.Uvarint(b[start:end])
	case wireBytes:
		f.bytes = b[start:end:end]
	}
	return f, b[end:], nil
}

// cut finds the field at b[i:]: its key, and where its value begins and ends,
// the length of a text not being part of it. It deals in numbers alone: a struct
// of more than four words is copied by a call in a Go guest, and cleared by
// several.
func cut(b []byte, i int) (key uint64, start, end int, err error) {
	if key, start, end = cutShort(b, i); end > 0 {
		return key, start, end, nil
	}
	return cutLonger(b, i)
}

// cutShort is cut for a key and a length, or a number, of one byte each; end is
// 0 for all others.
func cutShort(b []byte, i int) (key uint64, start, end int) {
	if len(b)-i < 2 {
		return
	}
	k, v := int(b[i]), int(b[i+1])
	text := k >> 1 & 1 // of the wire types of a text and of a number
	end = i + 2 + v&-text
	if k < 8 || k&5 != 0 || k|v > 0x7f || end > len(b) {
		end = 0
	}
	return uint64(k), i + 1 + text, end
}

// cutLonger is cut for a key or a length of two bytes, and for all others.
func cutLonger(b []byte, i int) (key uint64, start, end int, err error) {
	if len(b)-i >= 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		key, n := short(x)
		y := x >> (8 * n)
		size, k := short(y)
		start, left := i+int(n+k), uint64(len(b)-i)-n-k //nolint:gosec // of eight bytes, at most four
		if !isLong(x) && !isLong(y) && key&7 == wireBytes && key > 7 && size <= left {
			return key, start, start + int(size), nil //nolint:gosec // at most len(b)
		}
	}
	return cutAny(b, i)
}

// short is the value and the size of the varint that x begins with, if it is
// of one or two bytes; isLong says that it is of more.
func short(x uint64) (v, size uint64) {
	more := x >> 7 & 1
	return x&0x7f | x>>1&0x3f80&-more, 1 + more
}

func isLong(x uint64) bool { return x&(x>>8)&0x80 != 0 }

// cutAny is cut for fields of every kind and length.
func cutAny(b []byte, i int) (key uint64, start, end int, err error) {
	key, n := binary.Uvarint(b[i:])
	if n <= 0 {
		return 0, 0, 0, &frameError{problem: "a field's key is cut off"}
	}
	if num := key >> 3; num == 0 || num > 1<<29-1 {
		return 0, 0, 0, &frameError{num, "has a number that is out of range"}
	}
	if start, end = extent(b, i+n, key&7); end < 0 || end > len(b) {
		return 0, 0, 0, &frameError{key >> 3, cutOff(key & 7)}
	}
	return key, start, end, nil
}

// extent is where the value at b[i:] begins and ends; the end is out of b if
// the value does not end there, or is of a wire type that has none.
func extent(b []byte, i int, wire uint64) (start, end int) {
	v, n := uint64(0), 0
	if wire == wireVarint || wire == wireBytes {
		if v, n = binary.Uvarint(b[i:]); n <= 0 {
			return i, -1
		}
	}
	switch wire {
	case wireVarint:
		return i, i + n
	case wireBytes:
		if v > uint64(len(b)-i-n) {
			return i, -1
		}
		return i + n, i + n + int(v) //nolint:gosec // at most len(b)
	case wireFixed64:
		return i, i + 8
	case wireFixed32:
		return i, i + 4
	}
	return i, -1
}

// cutOff says what is wrong with a value that does not end in its frame.
func cutOff(wire uint64) string {
	switch wire {
	case wireVarint, wireFixed64, wireFixed32:
		return "is cut off"
	case wireBytes:
		return "is longer than the frame"
	}
	return "has wire type " + strconv.FormatUint(wire, 10)
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

func textOf(num uint64, b []byte) (string, error) { return field{num: num, bytes: b}.text() }

func uint32Of(num uint64, b []byte) (uint32, error) {
	if len(b) == 1 {
		return uint32(b[0]), nil
	}
	v, _ := binary.Uvarint(b)
	return field{num: num, value: v}.uint32()
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
