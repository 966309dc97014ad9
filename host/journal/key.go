package journal

import "encoding/binary"

// The keys of the store: what it is, then whose, then its number. Their order is
// that in which a store is read when it is opened.
const (
	keyBooks   = 'a' // the books
	keyName    = 'b' // + pipeline's number: its name
	keyFloor   = 'c' // + pipeline's number: the floor
	keyBitmap  = 'd' // + pipeline's number + segment's: which messages of it settled
	keySegment = 'e' // + as a bitmap: the messages of a pull
	keyMarks   = 'f' // + as a bitmap: what is remembered of them
	keyLetter  = 'g' // + dead letter's number
)

func booksKey() []byte { return []byte{keyBooks} }

func pipelineKey(kind byte, pipeline uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, pipeline)
}

func segmentKey(kind byte, pipeline uint32, segment uint64) []byte {
	return binary.BigEndian.AppendUint64(pipelineKey(kind, pipeline), segment)
}

func letterKey(number uint64) []byte { return binary.BigEndian.AppendUint64([]byte{keyLetter}, number) }

// key is a key taken apart.
type key struct {
	kind     byte
	pipeline uint32
	number   uint64
}

func parseKey(b []byte) (k key, ok bool) {
	if len(b) == 0 {
		return k, false
	}
	k.kind, b = b[0], b[1:]
	switch {
	case k.kind == keyBooks && len(b) == 0:
	case k.kind == keyLetter && len(b) == 8:
		k.number = binary.BigEndian.Uint64(b)
	case (k.kind == keyName || k.kind == keyFloor) && len(b) == 4:
		k.pipeline = binary.BigEndian.Uint32(b)
	case (k.kind == keySegment || k.kind == keyBitmap || k.kind == keyMarks) && len(b) == 12:
		k.pipeline, k.number = binary.BigEndian.Uint32(b), binary.BigEndian.Uint64(b[4:])
	default:
		return k, false
	}
	return k, true
}
