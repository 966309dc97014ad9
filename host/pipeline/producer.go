package pipeline

import (
	"context"
	"sync"

	"github.com/relayhost/relayhost/host/message"
)

// startProducers runs the producers; what it returns waits for them and gives
// the first error of the source.
func (p *Pipeline) startProducers(work context.Context) (wait func() error) {
	var (
		wg    sync.WaitGroup
		once  sync.Once
		first error
	)
	for range p.config.Producer.Concurrency {
		wg.Go(func() {
			if err := p.produce(work); err != nil {
				once.Do(func() { first = err })
				p.stopIntake()
			}
		})
	}
	return func() error {
		wg.Wait()
		return first
	}
}

// produce pulls what is asked for until intake ends.
func (p *Pipeline) produce(work context.Context) error {
	for {
		n := p.demand.promise(p.stop)
		if n == 0 {
			return nil
		}
		messages, err := p.source.Pull(work, p.stop, n)
		p.demand.release(n - len(messages))
		if len(messages) > 0 {
			p.dispatch(messages)
		}
		if err != nil {
			return err
		}
	}
}

// dispatch hands messages to the processors, the next ones always to the one
// with the most outstanding demand.
func (p *Pipeline) dispatch(messages []*message.Message) {
	for _, m := range messages {
		m.Attempt = 1
		m.Batcher = message.DefaultBatcher
	}
	p.ledger.receive(messages)
	for len(messages) > 0 {
		i, n := p.demand.assign(min(len(messages), p.chunk()))
		p.processors[i].inbox.put(messages[:n])
		messages = messages[n:]
	}
}

// chunk is the most messages that a processor works on before it settles,
// forwards and asks again.
func (p *Pipeline) chunk() int { return p.config.Processors.MaxDemand - p.config.Processors.MinDemand }
