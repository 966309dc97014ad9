package devserver_test

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/relayhost/relayhost/host/devserver"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

func Example() {
	s, err := devserver.New(devserver.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	if err := s.CreateTopic("users"); err != nil {
		fmt.Println(err)
	}
	id, err := s.CreateDestination(devserver.Destination{Name: "host", Topic: "users"})
	if err != nil {
		fmt.Println(err)
	}

	conn, err := grpc.NewClient(s.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	events := pb.NewEventsClient(conn)
	admin := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+s.AdminToken())
	_, err = events.PublishEvents(admin, &pb.PublishEventsRequest{Topic: "users", Durable: true, Events: []*pb.NewEvent{
		{Name: "user.created", Source: "MyApp", Data: `{"person": {"first_name": "Bill"}}`},
	}})
	if err != nil {
		fmt.Println(err)
	}
	pulled, err := events.PullQueuedEvents(admin, &pb.PullQueuedEventsRequest{DestinationId: id})
	for _, e := range pulled.GetEvents() {
		fmt.Println(e.GetName(), e.GetData(), err)
	}
	fmt.Println(conn.Close())
	cancel()
	fmt.Println(<-done)
	// Output:
	// user.created {"person":{"first_name":"Bill"}} <nil>
	// <nil>
	// <nil>
}
