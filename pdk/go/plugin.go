package relay

import (
	"errors"

	"github.com/relayhost/relayhost/abi"
)

var (
	errNoMessageHandler = errors.New("the plugin registered no message handler (relay.HandleMessage)")
	errNoBatchHandler   = errors.New("the plugin registered no batch handler (relay.HandleBatch)")
)

// Plugin is a set of handlers and the buffers that their answers are written
// to. A plugin's code registers its handlers on [Default] by [HandleMessage]
// and its siblings, here and in the packages prepare and failed; only a host,
// or a test, calls the Serve methods. It serves one call at a time.
type Plugin struct {
	handleMessage func(*Message) error
	handleBatch   func(*Batch) error
	prepare       func([]*Message) error
	handleFailed  func(*Failed) error
	configure     func(Config) error
	teardown      func()

	message Message
	batch   Batch
	failed  Failed
	out     []byte
}

// Default is the plugin that this module is.
var Default = new(Plugin)

// HandleMessage registers the handler that is called once for every message.
// A returned error fails the message with the error's text as its reason.
func HandleMessage(handler func(*Message) error) { Default.HandleMessage(handler) }

// HandleBatch registers the handler that is called once for every batch. A
// returned error fails every message of the batch, and no record of it is
// delivered.
func HandleBatch(handler func(*Batch) error) { Default.HandleBatch(handler) }

// Configure registers the function that gets the plugin's configuration,
// before any message. A returned error refuses the plugin.
func Configure(configure func(Config) error) { Default.Configure(configure) }

// Teardown registers the function that is called before an instance is given
// back in an orderly way. An instance that was discarded gets no teardown.
func Teardown(teardown func()) { Default.Teardown(teardown) }

// HandleMessage is [HandleMessage] for this plugin.
func (p *Plugin) HandleMessage(handler func(*Message) error) { p.handleMessage = handler }

// HandleBatch is [HandleBatch] for this plugin.
func (p *Plugin) HandleBatch(handler func(*Batch) error) { p.handleBatch = handler }

// Configure is [Configure] for this plugin.
func (p *Plugin) Configure(configure func(Config) error) { p.configure = configure }

// Teardown is [Teardown] for this plugin.
func (p *Plugin) Teardown(teardown func()) { p.teardown = teardown }

// ServeMessage answers one handle_message call: a Message frame by a
// MessageResult frame. A malformed frame is answered by a failed result. The
// answer is valid until the next call of a Serve method.
func (p *Plugin) ServeMessage(frame []byte) []byte {
	m := &p.message
	err := m.in.Read(frame)
	if fault := m.load(0); err == nil {
		err = fault
	}
	if err == nil {
		m.single = true
		err = p.runMessage(m)
	}
	m.Fail(err)
	p.out = m.result().Append(p.out[:0])
	return p.out
}

func (p *Plugin) runMessage(m *Message) error {
	if p.handleMessage == nil {
		return errNoMessageHandler
	}
	return p.handleMessage(m)
}

// ServeBatch answers one handle_batch call: a Batch frame by a BatchResult
// frame. A malformed frame is answered by an empty result, which fails every
// message of the batch. The answer is valid until the next call of a Serve
// method.
func (p *Plugin) ServeBatch(frame []byte) []byte {
	b := &p.batch
	if err := b.load(frame, p.out[:0]); err != nil {
		Log.Error("handle_batch: " + err.Error())
		return nil
	}
	if err := p.runBatch(b); err != nil {
		b.fail(err)
	}
	p.out = b.result()
	return p.out
}

func (p *Plugin) runBatch(b *Batch) error {
	if p.handleBatch == nil {
		return errNoBatchHandler
	}
	return p.handleBatch(b)
}

// ServeConfigure answers the configure call: a Configure frame by a
// MessageResult frame.
func (p *Plugin) ServeConfigure(frame []byte) []byte {
	in, err := abi.ParseConfigure(frame)
	if err == nil && p.configure != nil {
		err = p.configure(Config{Pipeline: in.Pipeline, JSON: JSON(in.Config)})
	}
	p.out = failure(0, err).Append(p.out[:0])
	return p.out
}

// ServeTeardown answers the teardown call.
func (p *Plugin) ServeTeardown() {
	if p.teardown != nil {
		p.teardown()
	}
}

// Config is what the pipeline's configuration says for its plugin. It may be
// kept.
type Config struct {
	// Pipeline is the pipeline's name.
	Pipeline string
	// JSON is the plugin's config table, an object.
	JSON JSON
}
