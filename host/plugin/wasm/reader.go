package wasm

import (
	"fmt"
	"unicode/utf8"
)

// Reader reads the primitives of the binary format from bytes. Its first error
// sticks: every later read returns zero, so that callers check [Reader.Err] once,
// after what belongs together.
type Reader struct {
	b    []byte
	base int // the offset of b[0] in the file
	pos  int
	err  error
}

// NewReader returns a reader of b, which begins offset bytes into the file.
func NewReader(b []byte, offset int) *Reader { return &Reader{b: b, base: offset} }

// Err returns the first error, an [Error].
func (r *Reader) Err() error { return r.err }

// Len returns how many bytes are left: 0 after an error.
func (r *Reader) Len() int { return len(r.b) - r.pos }

// Offset returns where the reader stands in the file.
func (r *Reader) Offset() int { return r.base + r.pos }

// Pos returns where the reader stands in its bytes.
func (r *Reader) Pos() int { return r.pos }

// Fail makes the reader fail, unless it has failed already.
func (r *Reader) Fail(err error, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{Offset: r.Offset(), What: fmt.Sprintf(format, args...), Err: err}
		r.pos = len(r.b)
	}
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if r.pos >= len(r.b) {
		r.Fail(ErrTruncated, "a byte is missing")
		return 0
	}
	r.pos++
	return r.b[r.pos-1]
}

// Bytes reads n bytes, which alias the reader's.
func (r *Reader) Bytes(n uint32) []byte {
	if uint64(n) > uint64(r.Len()) { //nolint:gosec // never negative
		r.Fail(ErrTruncated, "%d bytes are declared, but %d left", n, r.Len())
		return nil
	}
	end := r.pos + int(n)
	b := r.b[r.pos:end:end]
	r.pos = end
	return b
}

// U32 reads an unsigned integer of 32 bits in LEB128.
func (r *Reader) U32() uint32 { return uint32(r.unsigned(32)) } //nolint:gosec // fits

// U64 reads an unsigned integer of 64 bits in LEB128.
func (r *Reader) U64() uint64 { return r.unsigned(64) }

// S32 reads a signed integer of 32 bits in LEB128.
func (r *Reader) S32() int32 { return int32(r.signed(32)) } //nolint:gosec // fits

// S33 reads a signed integer of 33 bits in LEB128, as block types are encoded.
func (r *Reader) S33() int64 { return r.signed(33) }

// S64 reads a signed integer of 64 bits in LEB128.
func (r *Reader) S64() int64 { return r.signed(64) }

func (r *Reader) unsigned(bits uint) uint64 {
	var v uint64
	for shift := uint(0); ; shift += 7 {
		b := r.Byte()
		if left := bits - shift; left < 7 && b>>left != 0 {
			r.Fail(ErrMalformed, "an integer has more than %d bits", bits)
			return 0
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
}

func (r *Reader) signed(bits uint) int64 {
	var v int64
	for shift := uint(0); ; shift += 7 {
		b := r.Byte()
		if left := bits - shift; left < 7 && !signExtended(b, left) {
			r.Fail(ErrMalformed, "a signed integer has more than %d bits", bits)
			return 0
		}
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			if used := shift + 7; used < 64 {
				v = v << (64 - used) >> (64 - used)
			}
			return v
		}
	}
}

// signExtended reports whether b, the last byte that an integer may have, only
// repeats the sign above its first left bits.
func signExtended(b byte, left uint) bool {
	rest := int8(b<<1) >> left //nolint:gosec // bits are meant
	return b < 0x80 && (rest == 0 || rest == -1)
}

// Name reads a length and as many bytes of UTF-8.
func (r *Reader) Name() string {
	b := r.Bytes(r.U32())
	if !utf8.Valid(b) {
		r.Fail(ErrMalformed, "a name is not UTF-8")
	}
	return string(b)
}

// maxCount is how many things of a kind a module may have, as in browsers: what
// is made of them is far larger than their bytes.
const maxCount = 1_000_000

// count reads the length of a vector whose elements have at least size bytes
// each, and refuses one that cannot be.
func (r *Reader) count(what string, size int) int {
	n := r.U32()
	if uint64(n)*uint64(size) > uint64(r.Len()) { //nolint:gosec // never negative
		r.Fail(ErrTruncated, "%d %s are declared in %d bytes", n, what, r.Len())
		return 0
	}
	if n > maxCount {
		r.Fail(ErrMalformed, "there are %d %s, more than %d", n, what, maxCount)
		return 0
	}
	return int(n)
}

// vector reads a vector of what, whose elements have at least size bytes each.
func vector[T any](r *Reader, what string, size int, read func(*Reader) T) []T {
	n := r.count(what, size)
	if n == 0 {
		return nil
	}
	v := make([]T, 0, n)
	for range n {
		v = append(v, read(r))
		if r.err != nil {
			return nil
		}
	}
	return v
}
