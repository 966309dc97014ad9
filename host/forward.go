package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/secret"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

const (
	// forwardInterval is how often the journal is asked for new dead letters.
	forwardInterval = time.Second
	// forwardPage is how many are forwarded at once.
	forwardPage = 100
	// forwardTries is how often one that the receiver refuses is sent.
	forwardTries = 5
	// forwardAgain is how long after that it is sent once more.
	forwardAgain = 10 * time.Minute
	// forwardGrace is how long the last ones may take once the pipelines have
	// ended; a later run forwards what is left.
	forwardGrace = 5 * time.Second
	// forwardedName is the name of the events that dead letters are published as.
	forwardedName = "relayhost.dead_letter"
)

// forwarder sends a pipeline's dead letters on, each at least once.
type forwarder struct {
	journal  *journal.Journal
	pipeline string
	send     func(ctx context.Context, letters []ExportedLetter) error
	conn     *grpc.ClientConn // nil but for a topic
	log      *slog.Logger
	after    string    // the last one that was sent, or given up for now
	gaveUp   time.Time // when the first one was given up that was not sent once more, zero if none was
}

// forwarder makes the forwarder of a pipeline, nil if it has none.
func (w workshop) forwarder(c config.Pipeline) (*forwarder, error) {
	f := &forwarder{journal: w.journal, pipeline: c.Name, log: w.options.Logger.With("pipeline", c.Name)}
	switch d := c.DeadLetters; {
	case w.journal == nil, d.Sink == "" && d.Topic == "":
		return nil, nil
	case d.Sink != "":
		f.send = toSink(w.sinks[d.Sink])
	default:
		server := connection(c.Producer)
		server.Token = secret.New(d.Token.Reveal())
		var err error
		if f.conn, err = eventrelay.Dial(server); err != nil {
			return nil, fmt.Errorf("dead_letters: %w", err)
		}
		f.send = toTopic(f.conn, d.Topic, c.Name)
	}
	return f, nil
}

func (f *forwarder) close() error {
	if f == nil || f.conn == nil {
		return nil
	}
	return f.conn.Close()
}

// run forwards until ctx ends, and then what there is yet, for a while.
func (f *forwarder) run(ctx context.Context) {
	tick := time.NewTicker(forwardInterval)
	defer tick.Stop()
	for ctx.Err() == nil {
		f.pass(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), forwardGrace)
	defer cancel()
	f.pass(last)
}

// pass forwards all that there are, or as many as it can until ctx ends.
func (f *forwarder) pass(ctx context.Context) {
	for {
		letters, err := f.next()
		if err != nil {
			f.log.Error("dead letters cannot be read, and are not forwarded", "error", err)
			return
		}
		if len(letters) == 0 || f.forward(ctx, letters) != nil {
			return
		}
	}
}

func (f *forwarder) next() (letters []journal.DeadLetter, err error) {
	if !f.gaveUp.IsZero() && time.Since(f.gaveUp) > forwardAgain {
		f.after, f.gaveUp = "", time.Time{}
	}
	filter := journal.Filter{Pipeline: f.pipeline, Unforwarded: true, After: f.after, Limit: forwardPage}
	for d, err := range f.journal.DeadLetters(filter) {
		if err != nil {
			return nil, err
		}
		letters = append(letters, d)
	}
	return letters, nil
}

// forward sends letters together or, if they are refused together, one by one.
// The error is ctx's.
func (f *forwarder) forward(ctx context.Context, letters []journal.DeadLetter) error {
	err := f.try(ctx, letters)
	switch {
	case err == nil: // also if ctx has ended since
		f.note(letters)
	case ctx.Err() != nil:
		return ctx.Err()
	case len(letters) > 1:
		for i := range letters {
			if err := f.forward(ctx, letters[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	default:
		if f.gaveUp.IsZero() {
			f.gaveUp = time.Now()
		}
		f.log.Error("a dead letter is refused, and will be sent once more later", "dead_letter", letters[0].ID, "wait", forwardAgain, "error", err)
	}
	f.after = letters[len(letters)-1].ID
	return nil
}

// note keeps that letters were forwarded.
func (f *forwarder) note(letters []journal.DeadLetter) {
	ids := make([]string, len(letters))
	for i := range letters {
		ids[i] = letters[i].ID
	}
	if err := f.journal.Forwarded(ids, time.Now()); err != nil {
		f.log.Error("it is not kept that dead letters were forwarded: they will be once more", "error", err)
	}
}

// try sends letters: again for as long as the receiver is away, and a few times
// if it refuses them.
func (f *forwarder) try(ctx context.Context, letters []journal.DeadLetter) error {
	exported := make([]ExportedLetter, len(letters))
	for i := range letters {
		exported[i] = WholeLetter(letter(&letters[i], true))
	}
	tries := 0
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := f.send(ctx, exported)
		if tries++; err != nil && tries >= forwardTries && !away(err) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, wait time.Duration) {
		if tries == 1 {
			f.log.Warn("dead letters cannot be forwarded, trying again", "letters", len(letters), "error", err, "wait", wait)
		}
	}))
	return err
}

// away reports whether the receiver cannot be reached, rather than refuses.
func away(err error) bool {
	return status.Code(err) == codes.Unavailable || errors.Is(err, context.DeadlineExceeded)
}

// toSink delivers each letter as a line of JSON.
func toSink(sink pipeline.Sink) func(context.Context, []ExportedLetter) error {
	return func(ctx context.Context, letters []ExportedLetter) error {
		records := make([]message.Record, len(letters))
		for i := range letters {
			text, err := json.Marshal(&letters[i])
			if err != nil {
				return err
			}
			records[i].Data = text
		}
		return sink.Deliver(ctx, &message.Batch{}, records)
	}
}

// toTopic publishes each letter as an event of its own, with the keys of the one
// that failed.
func toTopic(conn grpc.ClientConnInterface, topic, name string) func(context.Context, []ExportedLetter) error {
	return func(ctx context.Context, letters []ExportedLetter) error {
		events := make([]*pb.NewEvent, len(letters))
		for i := range letters {
			text, err := json.Marshal(&letters[i])
			if err != nil {
				return err
			}
			events[i] = &pb.NewEvent{
				Name: forwardedName, Source: "relayhost/" + name, Data: string(text),
				ReferenceKey: letters[i].EventID, TraceKey: letters[i].ID,
			}
		}
		_, err := eventrelay.Publish(ctx, conn, topic, events, true)
		return err
	}
}
