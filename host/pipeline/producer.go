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
	stopKeeper := p.startKeeper(work)
	return func() error {
		wg.Wait()
		stopKeeper()
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
			p.came(n, 0, 0)
			continue
		}
		if err := p.pull(work, over, n, granted); err != nil {
			return err
		}
	}
}

// pull pulls so much of n promised messages once. It does not wait until what
// came is safe.
func (p *Pipeline) pull(work context.Context, over <-chan struct{}, n, granted int) error {
	watch, began := p.watch(), time.Now()
	messages, err := p.source.Pull(work, over, granted)
	p.limiter.pulled(granted, len(messages))
	b := brought{messages: messages, bytes: sizeOf(messages), wanted: granted, began: began}
	p.came(n, len(messages), b.bytes)
	if len(messages) == 0 {
		return err
	}
	watch.tell(func(o Observer, took time.Duration) { o.Pulled(len(messages), b.bytes, took) })
	received := time.Now()
	for _, m := range messages {
		m.Received = received
	}
	if p.keeper == nil {
		p.takeIn(b)
	} else {
		p.keeper.inbox.put(b)
	}
	return err
}

// came says what has come of n promised messages: a pull that brings nothing may
// have been all that moved.
func (p *Pipeline) came(n, came, bytes int) {
	p.demand.came(n, came, bytes)
	p.relieve()
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
