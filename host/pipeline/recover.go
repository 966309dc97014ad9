package pipeline

import (
	"context"

	"github.com/relayhost/relayhost/host/message"
)

// admit waits until the journal has room; it returns false when the producers'
// turn is over.
func (p *Pipeline) admit(over <-chan struct{}) bool {
	return p.config.Journal == nil || p.config.Journal.Admit(over)
}

// keep makes pulled messages safe before they are handled. What cannot be made
// safe is handled all the same: the source will not give it again.
func (p *Pipeline) keep(work context.Context, messages []*message.Message) {
	if err := p.config.Journal.Append(work, p.stop, messages); err != nil {
		p.log.Error("messages are handled though the journal does not have them: a crash would lose them",
			"messages", len(messages), "first", messages[0].ID, "error", err)
	}
}

// recover hands out what earlier runs have left unsettled, before anything is
// pulled, and later what is put back.
func (p *Pipeline) recover() error {
	total := 0
	for {
		n, err := p.recoverSome()
		if n < 0 || err != nil {
			return err
		}
		if total += n; n > 0 {
			continue
		}
		if total > 0 {
			p.log.Info("took up what was unsettled", "messages", total)
			total = 0
		}
		p.turn.producers()
		select {
		case <-p.config.Journal.Recoverable():
			p.turn.journal()
		case <-p.stop:
			return nil
		}
	}
}

// recoverSome hands out as much as is asked for and there is, and returns how
// much that is, below 0 if intake has ended.
func (p *Pipeline) recoverSome() (int, error) {
	n := p.demand.promise(p.stop)
	if n == 0 {
		return -1, nil
	}
	messages, err := p.config.Journal.Recover(n)
	p.came(n, len(messages), sizeOf(messages))
	p.demand.arrived(len(messages), nil)
	p.receive(messages, len(messages))
	return len(messages), err
}
