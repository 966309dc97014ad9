package plugin

import (
	"context"
	"sync"

	"github.com/relayhost/relayhost/host/plugin/meter"
)

// shelf has the code of all plugins that are open. Those that were made of the same
// file share theirs: a Go module of 3 MB takes some 8 MB once it is decoded and
// compiled, and there may be a thousand pipelines.
type shelf struct {
	mu    sync.Mutex
	codes map[edition]*sharedCode
}

// edition is what code depends on.
type edition struct {
	digest string
	limits meter.Limits
}

type sharedCode struct {
	*compiled
	shelf   *shelf
	edition edition
	users   int
}

// take returns the code of an edition, nil if there is none.
func (s *shelf) take(e edition) *sharedCode {
	s.mu.Lock()
	defer s.mu.Unlock()
	code := s.codes[e]
	if code != nil {
		code.users++
	}
	return code
}

// put shares code that was compiled. Who comes second lives with two of them.
func (s *shelf) put(e edition, c *compiled) *sharedCode {
	s.mu.Lock()
	defer s.mu.Unlock()
	code := &sharedCode{compiled: c, shelf: s, edition: e, users: 1}
	if s.codes == nil {
		s.codes = make(map[edition]*sharedCode)
	}
	if s.codes[e] == nil {
		s.codes[e] = code
	}
	return code
}

// Close gives the code back once nobody uses it.
func (c *sharedCode) Close(ctx context.Context) error {
	if !c.leave() {
		return nil
	}
	return c.compiled.Close(ctx)
}

// leave reports whether that was the last user.
func (c *sharedCode) leave() bool {
	c.shelf.mu.Lock()
	defer c.shelf.mu.Unlock()
	if c.users--; c.users > 0 {
		return false
	}
	if c.shelf.codes[c.edition] == c {
		delete(c.shelf.codes, c.edition)
	}
	return true
}
