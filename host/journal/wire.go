package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// What the store holds is in a plain binary form: a version, then varints and
// strings that are preceded by their length. The store has checksums of its own.
const wireVersion = 1

var errWire = errors.New("it does not decode")

// reader takes values off the front of data. After the first that is not there,
// bad is set and all others are zero.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data)
	return taken(r, v, n)
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.data)
	return taken(r, v, n)
}

func taken[T uint64 | int64](r *reader, v T, n int) T {
	if n <= 0 {
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[n:]
	return v
}

// count is a uvarint of at most limit.
func (r *reader) count(limit uint64) int {
	n := r.uvarint()
	if n > min(limit, math.MaxInt32) {
		r.bad, r.data = true, nil
		return 0
	}
	return int(n) //nolint:gosec // checked
}

// bytes are part of data.
func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.data)) {
		r.bad, r.data = true, nil
		return nil
	}
	b := r.data[:n:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) time() time.Time {
	if n := r.varint(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// end reports what is wrong: a value was not there, or something follows.
func (r *reader) end() error {
	if r.bad || len(r.data) > 0 {
		return errWire
	}
	return nil
}

// open begins to read a value of ours.
func open(data []byte) (*reader, error) {
	r := &reader{data: data}
	if v := r.uvarint(); r.bad || v != wireVersion {
		return nil, fmt.Errorf("%w: it is of version %d, and this relayhost knows version %d", errWire, v, wireVersion)
	}
	return r, nil
}

func appendString[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTime(b []byte, t time.Time) []byte { return binary.AppendVarint(b, nanos(t)) }

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// maxPull bounds the messages of a segment.
const maxPull = 1 << 24

// segmentValue is the messages of a pull, or what is left of them.
type segmentValue struct {
	back     bool   // these are dead letters that were put back
	total    uint32 // how many messages the pull had
	received time.Time
	messages []*message.Message // with their places in Entry.Index, ascending
}

// appendSegment encodes v.
func appendSegment(b []byte, v *segmentValue) []byte {
	b = append(b, wireVersion, 0)
	if v.back {
		b[len(b)-1] = 1
	}
	b = binary.AppendUvarint(b, uint64(v.total))
	b = appendTime(b, v.received)
	b = binary.AppendUvarint(b, uint64(len(v.messages)))
	next, base := uint32(0), nanos(v.received)
	for _, m := range v.messages {
		b = binary.AppendUvarint(b, uint64(m.Entry.Index-next))
		next = m.Entry.Index + 1
		b = binary.AppendVarint(b, nanos(m.Received)-base)
		b = binary.AppendVarint(b, m.Position)
		b = appendString(b, m.ID)
		b = appendString(b, m.Event)
	}
	return b
}

// segmentBound is at least the length of what appendSegment makes of v.
func segmentBound(v *segmentValue) int {
	n := 2 + 3*binary.MaxVarintLen64
	for _, m := range v.messages {
		n += 5*binary.MaxVarintLen64 + len(m.ID) + len(m.Event)
	}
	return n
}

// decodeSegment is the reverse. The messages' events are part of data.
func decodeSegment(data []byte) (*segmentValue, error) {
	r, err := open(data)
	if err != nil {
		return nil, err
	}
	flags := r.count(1)
	v := &segmentValue{back: flags == 1, total: uint32(r.count(maxPull)), received: r.time()} //nolint:gosec // checked
	// A message takes at least five bytes.
	n := r.count(min(uint64(v.total), uint64(len(r.data)/5)))
	v.messages = make([]*message.Message, 0, n)
	block := make([]message.Message, n)
	next, base := uint64(0), nanos(v.received)
	for i := range block {
		next += r.uvarint()
		if next >= uint64(v.total) || r.bad {
			return nil, errWire
		}
		m := &block[i]
		m.Entry.Index = uint32(next) //nolint:gosec // below total
		next++
		if t := base + r.varint(); t != 0 {
			m.Received = time.Unix(0, t)
		}
		m.Position = r.varint()
		m.ID = string(r.bytes())
		m.Event = r.bytes()
		v.messages = append(v.messages, m)
	}
	return v, r.end()
}

// appendMarks encodes what is remembered of a pull.
func appendMarks(b []byte, at time.Time, messages []*message.Message) []byte {
	b = append(b, wireVersion)
	b = appendTime(b, at)
	b = binary.AppendUvarint(b, uint64(len(messages)))
	for _, m := range messages {
		b = binary.AppendVarint(b, m.Position)
		b = appendString(b, m.ID)
	}
	return b
}

// decodeMarks is the reverse.
func decodeMarks(data []byte) ([]message.Mark, error) {
	r, err := open(data)
	if err != nil {
		return nil, err
	}
	at := r.time()
	marks := make([]message.Mark, r.count(uint64(len(r.data)/2)))
	for i := range marks {
		marks[i] = message.Mark{Position: r.varint(), ID: string(r.bytes()), At: at}
	}
	return marks, r.end()
}

// appendLetter encodes a dead letter, all but its ID.
func appendLetter(b []byte, d *DeadLetter) []byte {
	b = append(b, wireVersion)
	b = appendString(b, d.Pipeline)
	b = appendString(b, d.EventID)
	b = binary.AppendVarint(b, d.Position)
	b = appendString(b, d.Event)
	b = binary.AppendUvarint(b, uint64(d.Kind))
	b = appendString(b, d.Reason)
	b = appendString(b, d.Trace)
	b = binary.AppendUvarint(b, uint64(d.Attempts))
	b = appendString(b, d.Plugin)
	b = appendTime(b, d.Received)
	b = appendTime(b, d.Failed)
	return appendTime(b, d.Forwarded)
}

// decodeLetter is the reverse. The event is part of data.
func decodeLetter(data []byte) (*DeadLetter, error) {
	r, err := open(data)
	if err != nil {
		return nil, err
	}
	d := &DeadLetter{
		Pipeline: string(r.bytes()), EventID: string(r.bytes()), Position: r.varint(), Event: r.bytes(),
		Kind: message.Kind(r.count(math.MaxUint8)), Reason: string(r.bytes()), Trace: string(r.bytes()), //nolint:gosec // checked
		Attempts: uint32(r.count(math.MaxInt32)), Plugin: string(r.bytes()), //nolint:gosec // checked
		Received: r.time(), Failed: r.time(), Forwarded: r.time(),
	}
	return d, r.end()
}

// books is how much the store holds. It is part of every commit, so that a store
// that lost something does not balance.
type books struct {
	commits  uint64 // that were made
	next     uint64 // the number of the next segment or dead letter
	segments uint64
	bitmaps  uint64
	marks    uint64
	letters  uint64
}

func (k *books) fields() []*uint64 {
	return []*uint64{&k.commits, &k.next, &k.segments, &k.bitmaps, &k.marks, &k.letters}
}

func appendBooks(b []byte, k books) []byte {
	b = append(b, wireVersion)
	for _, f := range k.fields() {
		b = binary.AppendUvarint(b, *f)
	}
	return b
}

func decodeBooks(data []byte) (k books, err error) {
	r, err := open(data)
	if err != nil {
		return k, err
	}
	for _, f := range k.fields() {
		*f = r.uvarint()
	}
	return k, r.end()
}
