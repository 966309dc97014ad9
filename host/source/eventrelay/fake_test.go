package eventrelay_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	source "github.com/relayhost/relayhost/host/source/eventrelay"

	"github.com/relayhost/relayhost/host/message"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// fake is a connection for a synctest bubble, which sockets do not fit in. It
// gives the reply's bytes to the call's own codec, as grpc does.
type fake struct {
	grpc.ClientConnInterface
	answer func(ctx context.Context, call, size int) ([]byte, error)

	start time.Time
	mu    sync.Mutex
	// at is when each call came, sizes what it asked for.
	at    []time.Duration
	sizes []int
}

func newFake(answer func(ctx context.Context, call, size int) ([]byte, error)) *fake {
	return &fake{answer: answer, start: time.Now()}
}

// Invoke implements grpc.ClientConnInterface.
func (f *fake) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	request, ok := args.(*pb.PullQueuedEventsRequest)
	if !ok || method != pb.Events_PullQueuedEvents_FullMethodName || request.GetDestinationId() != "d1" {
		return fmt.Errorf("call of %s with %v", method, args)
	}
	f.mu.Lock()
	call := len(f.at)
	f.at = append(f.at, time.Since(f.start))
	f.sizes = append(f.sizes, int(request.GetBatchSize()))
	f.mu.Unlock()
	raw, err := f.answer(ctx, call, int(request.GetBatchSize()))
	if err != nil {
		return err
	}
	return codec(options).Unmarshal(mem.BufferSlice{mem.SliceBuffer(raw)}, reply)
}

func codec(options []grpc.CallOption) encoding.CodecV2 {
	for _, o := range options {
		if forced, ok := o.(grpc.ForceCodecV2CallOption); ok {
			return forced.CodecV2
		}
	}
	return encoding.GetCodecV2("proto")
}

func (f *fake) source(log *logbook) *source.Source {
	return source.New(f, source.Options{DestinationID: "d1", Logger: log.logger()})
}

// reply is a response with an event for each offset.
func reply(offsets ...int) []byte {
	var r pb.PullQueuedEventsResponse
	for _, o := range offsets {
		r.Events = append(r.Events, &pb.Event{
			Id: fmt.Sprintf("id-%d", o), Name: "n", Offset: int32(o), Context: map[string]string{"k": "v"},
		})
	}
	raw, err := proto.Marshal(&r)
	if err != nil {
		panic(err)
	}
	return raw
}

// count is n offsets from first on.
func count(first, n int) []int {
	offsets := make([]int, n)
	for i := range offsets {
		offsets[i] = first + i
	}
	return offsets
}

var errAnswer = errors.New("no")

func positions(messages []*message.Message) []int {
	found := make([]int, len(messages))
	for i, m := range messages {
		found[i] = int(m.Position)
	}
	return found
}

// mustPull wants no error.
func mustPull(t testing.TB, s *source.Source, stop <-chan struct{}, n int) []*message.Message {
	t.Helper()
	messages, err := s.Pull(t.Context(), stop, n)
	if err != nil {
		t.Fatal(err)
	}
	if len(messages) > n {
		t.Fatalf("%d messages, more than %d", len(messages), n)
	}
	return messages
}
