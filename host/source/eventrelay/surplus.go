package eventrelay

import (
	"sync"

	"github.com/relayhost/relayhost/host/message"
)

// surplus keeps what a server sent beyond what it was asked for. The real one
// does not; but what was sent is locked, so it is handed out and not dropped.
// It stays undecoded, because a message takes more memory than its bytes.
type surplus struct {
	mu      sync.Mutex
	replies [][]byte
}

func (s *surplus) keep(reply []byte) {
	if len(reply) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies = append(s.replies, reply)
}

// take returns up to n messages, and an error if there was something that
// cannot be read.
func (s *surplus) take(n int) (messages []*message.Message, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.replies) > 0 && len(messages) == 0 && err == nil {
		var rest []byte
		messages, rest, err = decode(s.replies[0], n)
		if s.replies[0] = rest; len(rest) == 0 {
			s.replies = s.replies[1:]
		}
	}
	return messages, err
}
