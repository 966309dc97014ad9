package eventrelay

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/host/message"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// detectTries is how often a server that pulls is asked whether it unlocks, when
// its answer is neither yes nor no.
const detectTries = 3

// detectTimeout is how long a server may take to say so: a pull waits for it.
const detectTimeout = 10 * time.Second

// unlocking is whether the server can unlock, and how often that was asked.
type unlocking struct {
	// asking is held by the pull that asks the server.
	asking sync.Mutex

	mu         sync.Mutex
	known, can bool
	tries      int
}

// CanUnlock reports whether the server has the call, once the first Pull has
// returned; without Options.Unlock it is not asked.
func (s *Source) CanUnlock() bool {
	s.unlocking.mu.Lock()
	defer s.unlocking.mu.Unlock()
	return s.unlocking.can
}

// detect finds out whether the server can unlock, by unlocking nothing.
func (s *Source) detect(ctx context.Context) {
	u := &s.unlocking
	u.asking.Lock()
	defer u.asking.Unlock()
	if !s.options.Unlock || u.isKnown() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, detectTimeout)
	defer cancel()
	err := s.unlock(ctx, nil)
	u.mu.Lock()
	defer u.mu.Unlock()
	switch code := status.Code(err); {
	case err == nil || code == codes.InvalidArgument:
		u.known, u.can = true, true
	case code == codes.Unimplemented:
		u.known = true
		s.options.Logger.Warn("the server cannot unlock events: what is configured in place of that happens to those that fail",
			"error", eventrelay.Detail(err))
	}
}

func (u *unlocking) isKnown() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.known
}

// detected gives up on a server that gives events and no answer about unlocking.
func (s *Source) detected() {
	u := &s.unlocking
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.known || !s.options.Unlock {
		return
	}
	if u.tries++; u.tries == detectTries {
		u.known = true
		s.options.Logger.Warn("the server does not say whether it can unlock events, and is taken to be unable to")
	}
}

// Unlock has the server deliver the messages anew. It tries again until that
// succeeds, ctx is done, or the server refuses.
func (s *Source) Unlock(ctx context.Context, messages []*message.Message) error {
	for group := range slices.Chunk(messages, maxBatch) {
		if s.lost != nil {
			s.lost.release(group)
		}
		_, err := backoff.Retry(ctx, func() (struct{}, error) {
			err := s.unlock(ctx, group)
			if refused(err) {
				err = backoff.Permanent(err)
			}
			return struct{}{}, err
		}, backoff.WithMaxElapsedTime(0), backoff.WithBackOff(&backoff.ExponentialBackOff{
			InitialInterval: firstPause, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: minLastPause,
		}))
		if err := last(err); err != nil {
			if s.lost != nil {
				s.lost.retain(group)
			}
			return fmt.Errorf("unlock %d events: %w", len(group), eventrelay.Explain(err))
		}
	}
	return nil
}

func (s *Source) unlock(ctx context.Context, messages []*message.Message) error {
	request := &pb.UnLockQueuedEventsRequest{DestinationId: s.options.DestinationID}
	for _, m := range messages {
		request.EventIds = append(request.EventIds, m.ID)
	}
	var reply []byte
	return s.conn.Invoke(ctx, pb.Events_UnLockQueuedEvents_FullMethodName, request, &reply, grpc.ForceCodecV2(rawReply{}))
}
