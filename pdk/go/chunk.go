package relay

import "github.com/relayhost/relayhost/abi"

// PrepareMessages registers the handler of chunks. A plugin registers its own
// by prepare.Messages, in package prepare beside this one: without the import a
// module has no prepare_messages, and the host does not call it.
func (p *Plugin) PrepareMessages(handler func([]*Message) error) { p.prepare = handler }

// ServePrepare answers one prepare_messages call: a Batch frame by a
// BatchResult frame. A malformed frame is answered by an empty result, which
// fails every message of the chunk. The answer is valid until the next call of
// a Serve method.
func (p *Plugin) ServePrepare(frame []byte) []byte {
	b := &p.batch
	if err := b.load(frame, p.out[:0]); err != nil {
		Log.Error("prepare_messages: " + err.Error())
		return nil
	}
	if p.prepare != nil {
		if err := p.prepare(b.messages); err != nil {
			b.fail(err)
		}
	}
	p.out = b.patches()
	return p.out
}

// patches is the answer that changes messages.
func (b *Batch) patches() []byte {
	for i := range b.all {
		b.out = abi.AppendResult(b.out, *b.all[i].result())
	}
	return b.out
}
