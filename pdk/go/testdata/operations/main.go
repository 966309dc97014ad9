// Command operations does with its event what the event's name says, in each of
// its handlers.
package main

import (
	"bytes"
	"errors"
	"strconv"

	relay "github.com/relayhost/relayhost/pdk/go"
	"github.com/relayhost/relayhost/pdk/go/failed"
	"github.com/relayhost/relayhost/pdk/go/prepare"
)

func init() {
	prepare.Messages(number)
	relay.HandleMessage(split)
	relay.HandleBatch(join)
	failed.Handle(decide)
}

func main() {}

// number counts the messages of a chunk.
func number(messages []*relay.Message) error {
	for i, m := range messages {
		m.SetData([]byte(strconv.Itoa(i) + "," + string(m.Data())))
		if m.Name() == "panic" {
			panic("as its name says")
		}
	}
	return nil
}

// split makes a message of each part of the data.
func split(m *relay.Message) error {
	m.OnFailure(relay.DeadLetter)
	if m.Name() == "fail" {
		return relay.Retryable(errors.New("attempt " + strconv.Itoa(m.Attempt())))
	}
	for _, part := range bytes.Split(m.Data(), []byte(",")) {
		m.Emit(part).SetBatcher("parts").SetBatchKey(string(part))
	}
	return nil
}

func join(b *relay.Batch) error {
	b.Emit([]byte("partition " + strconv.Itoa(b.Partition())))
	return nil
}

// decide drops what a handler failed, and leaves the rest.
func decide(f *relay.Failed) error {
	if f.Kind() == "handler" {
		f.OnFailure(relay.Drop)
	}
	relay.Log.Info(f.Name() + ": " + f.Kind() + ": " + f.Reason() + ": " + string(f.EventData()))
	return nil
}
