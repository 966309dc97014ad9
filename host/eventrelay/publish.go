package eventrelay

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// The bounds of one publish call. More events a call gain little, and servers
// commonly take messages of up to 4 MiB. An event larger than that travels in a
// call of its own.
const (
	maxChunkEvents = 100
	maxChunkBytes  = 1 << 20
)

// ErrPublish is wrapped by the error of a server that did not give an event
// back for each it was given.
var ErrPublish = errors.New("the server did not return each event that was published")

// Publish sends events to a topic, name or name:identifier, in calls of at most
// 100 events and 1 MiB. It returns the events as the server stored them, in the
// order in which they were given; an event that is not durable has no id.
//
// An error ends it, and what is returned are the events of the calls before.
// The server checks events one by one: of a call that failed, those that were
// good may be stored nevertheless.
func Publish(
	ctx context.Context, conn grpc.ClientConnInterface,
	topic string, events []*pb.NewEvent, durable bool,
) ([]*pb.Event, error) {
	client := pb.NewEventsClient(conn)
	published := make([]*pb.Event, 0, len(events))
	for len(events) > 0 {
		n := chunk(events)
		reply, err := client.PublishEvents(ctx, &pb.PublishEventsRequest{
			Topic: topic, Events: events[:n], Durable: durable,
		})
		if err == nil && len(reply.GetEvents()) != n {
			err = fmt.Errorf("%w: %d of %d", ErrPublish, len(reply.GetEvents()), n)
		}
		if err != nil {
			return published, fmt.Errorf("publish to topic %q: %w", topic, Explain(err))
		}
		slices.Reverse(reply.Events) // the server lists the last one first
		published = append(published, reply.Events...)
		events = events[n:]
	}
	return published, nil
}

// chunk is how many of the events go into the next call, at least one.
func chunk(events []*pb.NewEvent) int {
	n, size := 1, proto.Size(events[0])
	for n < min(len(events), maxChunkEvents) {
		if size += proto.Size(events[n]); size > maxChunkBytes {
			break
		}
		n++
	}
	return n
}
