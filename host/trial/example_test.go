package trial_test

import (
	"context"
	"fmt"

	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/trial"
	"github.com/relayhost/relayhost/plugins"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

func ExamplePipeline_TestMessage() {
	ctx := context.Background()
	p, err := trial.Start(ctx, trial.Options{Module: plugins.Upcase, CacheDir: cacheDir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Close(ctx) }()
	for _, data := range []string{`{"person": {"first_name": "Bill"}}`, `{}`} {
		ack, err := p.TestMessage(ctx, &pb.Event{Data: data})
		fmt.Printf("%q %v %q %v\n", ack.Data, ack.Outcome.Kind, ack.Outcome.Reason, err)
	}
	// Output:
	// "BILL" ok "" <nil>
	// "" handler "person is missing" <nil>
}

func ExamplePipeline_TestBatch() {
	ctx := context.Background()
	p, err := trial.Start(ctx, trial.Options{
		Module:   plugins.Upcase,
		Pipeline: pipeline.Config{Batchers: []pipeline.BatcherConfig{{Name: "default", BatchSize: 10}}},
		CacheDir: cacheDir,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Close(ctx) }()
	acks, err := p.TestBatch(ctx,
		&pb.Event{Data: `{"person": {"first_name": "Bill"}}`},
		&pb.Event{Data: `{"person": {"first_name": "Betty"}}`})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, ack := range acks {
		fmt.Println(ack.OK(), ack.Batcher, len(ack.Batches[0].Events))
	}
	fmt.Printf("%s\n", acks[0].Batches[0].Records[0])
	// Output:
	// true default 2
	// true default 2
	// Got batch of finished jobs from processors.: ["BILL", "BETTY"]
}
