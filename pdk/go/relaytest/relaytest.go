// Package relaytest runs a plugin's handlers natively in go test. What goes in
// and comes out passes through the frames that a host and a plugin exchange,
// so a handler sees here what it will see there. [Message] runs a message
// handler, [Batch] a batch handler on what Message returned, [Prepare] a chunk's
// handler, [Failed] the one of what failed for good, [Configure] the plugin's
// configuration.
//
// What a handler logs goes to the test's log. A handler that panics panics
// here; in a host that would be a trap, and fail the message. Calls wait for
// each other, as those of an instance do: a handler need not be safe for
// concurrent use.
package relaytest

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/relayhost/relayhost/abi"
	relay "github.com/relayhost/relayhost/pdk/go"
	"github.com/relayhost/relayhost/proto/eventrelay"
)

// Event is an event as EventRelay sends it.
type Event = eventrelay.Event

// Result is a message and what a message handler made of it.
type Result struct {
	Event *Event
	// Attempt is counted from 1, which 0 stands for.
	Attempt int
	// Data replaces the event's data; nil where the handler left it.
	Data []byte
	// Batcher and BatchKey are where the handler routed the message; empty
	// where it left that.
	Batcher, BatchKey string
	// Flush says that the handler asked to emit the open batch.
	Flush bool
	// Err is what the handler failed the message with: the host gets its text
	// only. Retryable says that the handler marked it so.
	Err       error
	Retryable bool
	// OnFailure is what the handler said becomes of the message if it fails.
	OnFailure relay.OnFailure
	// Outputs are the messages that the handler made of this one, ready for
	// [Batch]: what it did not set on them is as in this one. They go on in its
	// place, if there are any.
	Outputs []Result
}

// Message runs a message handler on an event. A nil handler stands for the one
// that was registered by [relay.HandleMessage].
func Message(t testing.TB, handler func(*relay.Message) error, event *Event) Result {
	t.Helper()
	return Retry(t, handler, Result{Event: event})
}

// Retry is [Message] for a message that was handled before: with its data and
// its attempt, 2 for the second.
func Retry(t testing.TB, handler func(*relay.Message) error, m Result) Result {
	t.Helper()
	frame := m.encode(t)
	plugin := relay.Default
	if handler != nil {
		plugin = new(relay.Plugin)
		plugin.HandleMessage(handler)
	}
	serve(t, func() error {
		answer, err := abi.ParseMessageResult(plugin.ServeMessage(frame.Append(nil)))
		m.apply(answer)
		return err
	})
	return m
}

// BatchResult is what a batch handler returned.
type BatchResult struct {
	// Records is what the handler emitted, for the sink.
	Records []string
	// Errs has for each message what it failed with, nil if it succeeded.
	Errs []error
}

// Batch runs a batch handler on messages that [Message] returned, or on
// literal ones: Result{Event: …, Data: …} needs no handler before it. The
// batcher and the batch key are the first message's, default and none if it
// was not routed. A nil handler stands for the one that was registered by
// [relay.HandleBatch].
func Batch(t testing.TB, handler func(*relay.Batch) error, messages ...Result) BatchResult {
	t.Helper()
	batch := abi.Batch{Batcher: "default"}
	for i, m := range messages {
		if i == 0 && m.Batcher != "" {
			batch.Batcher = m.Batcher
		}
		if i == 0 {
			batch.BatchKey = m.BatchKey
		}
		batch.Messages = append(batch.Messages, m.encode(t))
	}
	plugin := relay.Default
	if handler != nil {
		plugin = new(relay.Plugin)
		plugin.HandleBatch(handler)
	}
	var result BatchResult
	serve(t, func() error {
		answer, err := abi.ParseBatchResult(plugin.ServeBatch(batch.Append(nil)))
		result = batchResult(answer, len(messages))
		return err
	})
	return result
}

// Configure runs a configure function on a config table, written as JSON, and
// returns the error with which it refused it, or nil. A nil function stands
// for the one that was registered by [relay.Configure].
func Configure(t testing.TB, configure func(relay.Config) error, json string) error {
	t.Helper()
	plugin := relay.Default
	if configure != nil {
		plugin = new(relay.Plugin)
		plugin.Configure(configure)
	}
	var answer abi.MessageResult
	frame := abi.Configure{Pipeline: "test", Config: json}.Append(nil)
	serve(t, func() (err error) {
		answer, err = abi.ParseMessageResult(plugin.ServeConfigure(frame))
		return err
	})
	return failed(answer)
}

func (m Result) encode(t testing.TB) abi.Message {
	t.Helper()
	event, err := proto.Marshal(m.Event)
	if err != nil {
		t.Fatalf("encode event: %v", err)
	}
	return abi.Message{Event: event, Data: m.Data, Attempt: uint32(max(m.Attempt, 1))} //nolint:gosec // a test's own
}

// apply is what a host does with the answer, which is valid only until the next
// call: a failed message keeps what it was.
func (m *Result) apply(answer abi.MessageResult) {
	m.Err, m.Retryable, m.Outputs = failed(answer), answer.Retryable, nil
	if answer.OnFailure != relay.AsConfigured {
		m.OnFailure = answer.OnFailure
	}
	if m.Err != nil {
		return
	}
	m.change(abi.Output{Data: answer.Data, Batcher: answer.Batcher, BatchKey: answer.BatchKey, BatchMode: answer.BatchMode})
	base := *m
	for _, o := range answer.Outputs {
		output := base
		output.change(o)
		m.Outputs = append(m.Outputs, output)
	}
}

func (m *Result) change(o abi.Output) {
	if o.Data != nil {
		m.Data = append([]byte{}, o.Data...)
	}
	if o.Batcher != nil {
		m.Batcher = *o.Batcher
	}
	if o.BatchKey != nil {
		m.BatchKey = *o.BatchKey
	}
	if o.BatchMode != nil {
		m.Flush = *o.BatchMode == abi.BatchModeFlush
	}
}

func batchResult(answer abi.BatchResult, size int) BatchResult {
	result := BatchResult{Errs: make([]error, size)}
	for i := range result.Errs {
		result.Errs[i] = errors.New("the batch handler's answer has no result for this message")
	}
	for _, r := range answer.Results {
		result.Errs[r.Index] = failed(r)
	}
	for _, r := range answer.Records {
		result.Records = append(result.Records, string(r.Data))
	}
	return result
}

func failed(r abi.MessageResult) error {
	if r.Status == abi.StatusOK {
		return nil
	}
	return errors.New(r.Reason)
}

// one holds the calls apart: the registered plugin and the log are shared.
var one sync.Mutex

func serve(t testing.TB, call func() error) {
	t.Helper()
	one.Lock()
	defer one.Unlock()
	before := relay.LogTo(testLog{t})
	defer relay.LogTo(before)
	if err := call(); err != nil {
		t.Fatalf("read the plugin's answer: %v", err)
	}
}

type testLog struct{ t testing.TB }

func (l testLog) Write(line []byte) (int, error) {
	l.t.Helper()
	l.t.Log(strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}
