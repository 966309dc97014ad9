package devserver_test

import (
	"fmt"
	"testing"

	"github.com/relayhost/relayhost/host/devserver"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

const backlog = 100_000

// BenchmarkPullQueuedEvents drains a queue of 100,000 events in batches of
// 1000, over gRPC on the loopback, the client's decoding included.
func BenchmarkPullQueuedEvents(b *testing.B) {
	for name, dir := range map[string]string{"memory": "", "disk": b.TempDir()} {
		b.Run(name, func(b *testing.B) {
			s, _ := start(b, devserver.Options{DataDir: dir})
			if err := s.CreateTopic("users"); err != nil {
				b.Fatal(err)
			}
			s.publish(b, "users", backlog)
			ctx := s.admin(b)
			pulled, drains := 0, 0
			for b.Loop() {
				b.StopTimer()
				drains++
				id := must(b)(s.CreateDestination(devserver.Destination{Name: fmt.Sprint("drain ", drains), Topic: "users"}))
				b.StartTimer()
				for got := -1; got != 0; pulled += got {
					r, err := s.events.PullQueuedEvents(ctx, &pb.PullQueuedEventsRequest{DestinationId: id, BatchSize: 1000})
					if err != nil {
						b.Fatal(err)
					}
					got = len(r.GetEvents())
				}
			}
			b.ReportMetric(float64(pulled)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkPullEvents reads a log of 100,000 events with a keyset cursor, in
// batches of 1000.
func BenchmarkPullEvents(b *testing.B) {
	s, _ := start(b, devserver.Options{})
	if err := s.CreateTopic("users"); err != nil {
		b.Fatal(err)
	}
	s.publish(b, "users", backlog)
	ctx := s.admin(b)
	read := 0
	for b.Loop() {
		for offset := int32(0); ; {
			r, err := s.events.PullEvents(ctx, &pb.PullEventsRequest{
				Topic: "users", BatchSize: 1000, Query: fmt.Sprintf("offset > %d", offset),
			})
			if err != nil {
				b.Fatal(err)
			}
			n := len(r.GetEvents())
			if n == 0 {
				break
			}
			read += n
			offset = r.GetEvents()[n-1].GetOffset()
		}
	}
	b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkPublishEvents publishes 100 events a call, durably.
func BenchmarkPublishEvents(b *testing.B) {
	for name, dir := range map[string]string{"memory": "", "disk": b.TempDir()} {
		b.Run(name, func(b *testing.B) {
			s, _ := start(b, devserver.Options{DataDir: dir})
			if err := s.CreateTopic("users"); err != nil {
				b.Fatal(err)
			}
			r := &pb.PublishEventsRequest{Topic: "users", Durable: true}
			for i := range 100 {
				r.Events = append(r.Events, event(i))
			}
			ctx := s.admin(b)
			for b.Loop() {
				if _, err := s.events.PublishEvents(ctx, r); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
