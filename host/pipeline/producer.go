package pipeline

import (
	"context"
	"sync"
	"time"

	"github.com/relayhost/relayhost/host/message"
)

// startProducers runs the producers, once what earlier runs left is handed out;
// what it returns waits for them and gives the first error of the source or the
// journal.
func (p *Pipeline) startProducers(work context.Context) (wait func() error) {
	var (
		wg    sync.WaitGroup
		once  sync.Once
		first error
	)
	run := func(produce func() error) {
		wg.Go(func() {
			if err := produce(); err != nil {
				once.Do(func() { first = err })
				p.stopIntake()
			}
		})
	}
	if p.config.Journal == nil {
		p.turn.producers()
	} else {
		run(p.recover)
	}
	for range p.config.Producer.Concurrency {
		run(func() error { return p.produce(work) })
	}
	return func() error {
		wg.Wait()
		return first
	}
}

// produce pulls what is asked for, as far as the rate limit lets it, until
// intake ends.
func (p *Pipeline) produce(work context.Context) error {
	for {
		over := p.turn.wait(p.stop)
		if over == nil {
			return nil
		}
		n := p.demand.promise(over)
		if n == 0 {
			continue
		}
		granted := p.grant(n, over)
		if granted == 0 || !p.admit(over) {
			p.limiter.pulled(granted, 0)
			p.demand.received(n, 0, 0)
			continue
		}
		watch := p.watch()
		messages, err := p.source.Pull(work, over, granted)
		p.limiter.pulled(granted, len(messages))
		bytes := sizeOf(messages)
		if len(messages) > 0 {
			watch.tell(func(o Observer, took time.Duration) { o.Pulled(len(messages), bytes, took) })
			p.keep(work, messages)
			p.receive(messages, 0)
		}
		p.demand.received(n, len(messages), int64(bytes))
		if err != nil {
			return err
		}
	}
}

// grant waits until the rate limit grants some of n messages; it returns 0 when
// the producers' turn is over.
func (p *Pipeline) grant(n int, over <-chan struct{}) int {
	watch := p.watch()
	for waited := false; ; waited = true {
		granted, wait, changed := p.limiter.take(n)
		if granted > 0 {
			if waited {
				watch.tell(func(o Observer, took time.Duration) { o.RateLimited(took) })
			}
			return granted
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-changed:
		case <-over:
			timer.Stop()
			return 0
		}
		timer.Stop()
	}
}

func sizeOf(messages []*message.Message) (n int) {
	for _, m := range messages {
		n += len(m.Event)
	}
	return n
}

// receive takes messages, so many of them recovered, into the books and hands
// them to the processors.
func (p *Pipeline) receive(messages []*message.Message, recovered int) {
	for _, m := range messages {
		m.Begin()
		m.Attempt = 1
		if by := p.config.Processors.PartitionBy; by != nil {
			m.Partition = by.Value(m)
		}
	}
	p.ledger.receive(messages, recovered)
	p.enter(len(messages))
	if p.config.Processors.PartitionBy != nil {
		p.dispatchByPartition(messages)
		return
	}
	for len(messages) > 0 {
		i, n := p.demand.assign(min(len(messages), p.chunk()))
		p.processors[i].inbox.put(messages[:n]...)
		messages = messages[n:]
	}
}

// dispatchByPartition hands each message to its partition's processor, in the
// order in which they came.
func (p *Pipeline) dispatchByPartition(messages []*message.Message) {
	for len(messages) > 0 {
		i, n := slot(messages[0].Partition, len(p.processors)), 1
		for n < len(messages) && slot(messages[n].Partition, len(p.processors)) == i {
			n++
		}
		p.demand.charge(i, n)
		p.processors[i].inbox.put(messages[:n]...)
		messages = messages[n:]
	}
}

// again hands a message to a processor once more.
func (p *Pipeline) again(m *message.Message) {
	m.Begin()
	p.enter(1)
	i := p.demand.hungriest()
	if p.config.Processors.PartitionBy != nil {
		i = slot(m.Partition, len(p.processors))
	}
	p.processors[i].inbox.put(m)
}

// chunk is the most messages that a processor works on before it settles,
// forwards and asks again.
func (p *Pipeline) chunk() int { return p.config.Processors.MaxDemand - p.config.Processors.MinDemand }
