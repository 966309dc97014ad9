package eventrelay

import (
	"cmp"
	"context"
	"sync"

	"google.golang.org/grpc"

	"github.com/relayhost/relayhost/host/message"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// The bounds of a request, and how many run at once for one Pull. The real
// server gives 14,600-19,400 events a second to one caller that asks for 1000,
// 24,500 to four, and no more to one that asks for 20,000.
const (
	maxBatch    = 1000
	maxRequests = 4
)

// request asks the server for n events once, in as many requests at a time as
// pays. It may return messages beside an error.
func (s *Source) request(ctx context.Context, n int) ([]*message.Message, error) {
	sizes := split(n, s.full.Load())
	answers := make([]answer, len(sizes))
	var wg sync.WaitGroup
	for i, size := range sizes[1:] {
		wg.Go(func() { answers[i+1] = s.pull(ctx, size) })
	}
	answers[0] = s.pull(ctx, sizes[0])
	wg.Wait()
	return s.gather(answers)
}

// split cuts n into the batch sizes of concurrent requests; into one while it
// is not known that there is enough for more.
func split(n int, full bool) []int {
	count := 1
	if full {
		count = min((n+maxBatch-1)/maxBatch, maxRequests)
	}
	sizes := make([]int, count)
	for i := range sizes {
		sizes[i] = min((n+i)/count, maxBatch)
	}
	return sizes
}

// answer is what one request brought: messages that may lack those that could
// not be read, for which there is an error.
type answer struct {
	messages []*message.Message
	surplus  []byte
	full     bool
	err      error
}

func (s *Source) pull(ctx context.Context, n int) (a answer) {
	if s.options.PullTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.options.PullTimeout)
		defer cancel()
	}
	request := &pb.PullQueuedEventsRequest{
		DestinationId: s.options.DestinationID,
		BatchSize:     int32(n), //nolint:gosec // at most maxBatch
	}
	if s.lost != nil {
		number := s.lost.depart()
		defer func() { s.lost.arrive(number, &a) }()
	}
	var reply []byte
	a.err = s.conn.Invoke(ctx, pb.Events_PullQueuedEvents_FullMethodName, request, &reply,
		grpc.ForceCodecV2(rawReply{}))
	if a.err == nil {
		a.messages, a.surplus, a.err = decode(reply, n)
		a.full = len(a.messages) == n
	}
	return a
}

// gather merges answers that came at the same time, in the order of offsets,
// which is the server's.
func (s *Source) gather(answers []answer) (messages []*message.Message, err error) {
	full := true
	for _, a := range answers {
		messages = append(messages, a.messages...)
		s.surplus.keep(a.surplus)
		full = full && a.full
		err = cmp.Or(err, a.err)
	}
	s.full.Store(full)
	if len(answers) > 1 {
		sortByPosition(messages)
	}
	return messages, err
}
