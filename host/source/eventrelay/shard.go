package eventrelay

import (
	"hash/fnv"
	"io"

	"github.com/relayhost/relayhost/host/message"
)

// Shard is the Index-th of Count parts of a topic, from 1 on. The zero value is
// all of it.
type Shard struct{ Index, Count int }

// Has reports whether events with a value are in the shard. An event's shard
// depends on the value and the count alone, and no version of this program will
// change it: jump consistent hashing (Lamping and Veach, 2014) of the value's
// 64-bit FNV-1a, so that of n shards a further one takes one part in n+1 of each
// and nothing else moves.
func (s Shard) Has(value string) bool {
	if s.Count < 2 {
		return true
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, value)
	return jump(h.Sum64(), s.Count) == s.Index-1
}

// jump is the bucket of a key among n.
func jump(key uint64, n int) int {
	bucket, next := -1, 0
	for next < n {
		bucket = next
		key = key*2862933555777941757 + 1
		next = int(float64(bucket+1) * (float64(1<<31) / float64(key>>33+1)))
	}
	return bucket
}

// wanted reports whether an event is in the shard.
func (o *LogOptions) wanted(m *message.Message) bool {
	return o.Shard.Count < 2 || o.ShardBy == nil || o.Shard.Has(o.ShardBy(m))
}
