package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/message"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// burial is an event that is pulled, and given up if it has a kind.
type burial struct {
	Pipeline, ID, Data, Kind, Reason, Trace string
	Attempts                                uint32
}

// bury fills the journal in a folder with the burials that standard input has as
// JSON. It is a command of the scripts.
func bury() {
	text, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = buryIn(os.Args[1], text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func buryIn(dir string, text []byte) (err error) {
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	lines := json.NewDecoder(bytes.NewReader(text))
	for offset := int32(1); ; offset++ {
		var b burial
		if err := lines.Decode(&b); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := b.perform(j, offset); err != nil {
			return err
		}
	}
}

func (b *burial) perform(j *journal.Journal, offset int32) error {
	inbox, err := j.Inbox(journal.InboxOptions{Pipeline: b.Pipeline})
	if err != nil {
		return err
	}
	defer inbox.Close()
	event, err := proto.Marshal(&pb.Event{Id: b.ID, Name: "user.created", Topic: "users", Data: b.Data, Offset: offset})
	if err != nil {
		return err
	}
	m := &message.Message{ID: b.ID, Event: event, Position: int64(offset), Attempt: b.Attempts, Received: time.Now()}
	if err := inbox.Append(context.Background(), nil, []*message.Message{m}); err != nil || b.Kind == "" {
		return err
	}
	kinds := message.Kinds()
	kind := kinds[slices.IndexFunc(kinds, func(k message.Kind) bool { return k.String() == b.Kind })]
	m.Plugin = "53a51fba7fbdfb0b0d5a28f2e37d23578a5d62e5dce8c10e32bd16f0fd2e50eb"
	m.Settle(message.Outcome{Kind: kind, Reason: b.Reason, Trace: b.Trace, Action: message.DeadLetter})
	inbox.Settle([]*message.Message{m})
	return nil
}
