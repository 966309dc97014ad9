package eventrelay

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/relayhost/relayhost/host/message"
)

// DefaultReconcileInterval is how often lost events are looked for.
const DefaultReconcileInterval = time.Minute

// reconciler finds events that the server has locked and not delivered: those
// of the topic's log that no pull brought, although the queue had its chance. An
// event is lost once the log showed it, a pull that was begun afterwards brought
// all that there was up to it, and whatever pull could have brought it has ended.
type reconciler struct {
	log      history
	from     Start
	interval time.Duration
	logger   *slog.Logger
	trouble  *trouble

	// beginning is held by the one that finds the floor.
	beginning sync.Mutex
	begun     atomic.Bool

	mu sync.Mutex
	progress
	// looking: one reads the log; proven and pageSize are its own.
	looking  bool
	proven   bool
	pageSize int
	// asked numbers the pulls; flying are those that have not ended.
	asked  uint64
	flying map[uint64]struct{}
	// pulled: a pull has brought an answer. drained: the last one brought all
	// that there was. highest is the highest offset that any brought.
	pulled, drained bool
	highest         int64
	// due is when to look next; failed asks for it at once, since a pull has
	// failed after the last look.
	due    time.Time
	failed bool
	check  *inquiry
	// found is the lost events of this run, which a pull may bring in the end
	// after all; lost those of them that are still to be handed out.
	found map[key]struct{}
	lost  []*message.Message
	// verified: up to it nothing was lost when the log was last looked at.
	verified int64
	looked   time.Time
}

// inquiry is a look at the log and what came of it.
type inquiry struct {
	at       time.Time
	upTo     int64
	complete bool
	suspects []*message.Message
	// after is the last pull that was begun before; until is the last that could
	// have brought a suspect, 0 while it is not known.
	after, until uint64
}

func newReconciler(conn grpc.ClientConnInterface, o Options) *reconciler {
	logger := o.Logger.With("topic", o.Topic)
	t := newTrouble(logger, o.PullInterval)
	t.diagnose, t.doing = diagnoseLog, "look for lost events"
	return &reconciler{
		log:      history{conn: conn, topic: o.Topic, query: o.Query, timeout: DefaultLogTimeout},
		from:     o.ReconcileStart,
		interval: o.ReconcileInterval,
		logger:   logger,
		trouble:  t,
		pageSize: maxPage,
		progress: newProgress(o.Memory, o.Lookback, logger),
		flying:   make(map[uint64]struct{}),
		found:    make(map[key]struct{}),
	}
}

// begin finds the floor: that of an earlier run, or the start.
func (c *reconciler) begin(ctx context.Context) error {
	if c.begun.Load() {
		return nil
	}
	c.beginning.Lock()
	defer c.beginning.Unlock()
	if c.begun.Load() {
		return nil
	}
	p := newProgress(c.memory, c.bounds, c.logger)
	err := p.begin(func() (int64, error) {
		if err := c.log.probe(ctx); err != nil {
			return 0, err
		}
		return c.log.start(ctx, c.from)
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progress, c.verified, c.highest = p, p.floor, p.floor
	c.begun.Store(true)
	if n := len(p.window.seen); n > 0 {
		c.highest = p.window.seen[n-1].position
	}
	return nil
}

// depart numbers a pull that begins.
func (c *reconciler) depart() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	c.flying[c.asked] = struct{}{}
	return c.asked
}

// arrive takes what a pull brought and leaves out what was found lost before. A
// pull that failed may have lost events.
func (c *reconciler) arrive(number uint64, a *answer) {
	surplus, _, _ := decode(a.surplus, math.MaxInt)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.flying, number)
	a.messages = c.bring(a.messages)
	c.bring(surplus)
	if a.err != nil {
		c.failed = true
	} else {
		c.pulled, c.drained = true, !a.full
		c.hear(number, a)
	}
	c.conclude()
}

func (c *reconciler) bring(messages []*message.Message) (fresh []*message.Message) {
	c.window.add(messages, time.Now())
	for _, m := range messages {
		c.highest = max(c.highest, m.Position)
		if _, found := c.found[keyOf(m)]; !found {
			c.progress.bring(m)
			fresh = append(fresh, m)
		}
	}
	return fresh
}

// hear asks whether a pull shows that the queue does not have the suspects any
// more: it was begun after the look at the log, and brought all there was or,
// the queue being in order, later ones.
func (c *reconciler) hear(number uint64, a *answer) {
	if c.check == nil || c.check.until > 0 || number <= c.check.after {
		return
	}
	if n := len(a.messages); a.full && (n == 0 || a.messages[n-1].Position < c.check.suspects[len(c.check.suspects)-1].Position) {
		return
	}
	c.check.until = c.asked
}

// conclude finds the suspects guilty that no pull has brought and none can bring
// any more.
func (c *reconciler) conclude() {
	check := c.check
	if check == nil || len(check.suspects) > 0 && check.until == 0 {
		return
	}
	for number := range c.flying {
		if number <= check.until {
			return
		}
	}
	lost := c.window.add(check.suspects, time.Now())
	c.progress.bring(lost...)
	for _, m := range lost {
		c.found[keyOf(m)] = struct{}{}
	}
	c.lost = append(c.lost, lost...)
	if len(lost) > 0 {
		c.logger.Warn("found events that the server has locked and not delivered", "events", len(lost))
	}
	c.due = time.Now().Add(time.Second)
	if check.complete {
		c.verified, c.looked = max(c.verified, check.upTo), check.at
		c.due = time.Now().Add(c.interval)
	}
	c.check = nil
}

// take hands out up to n lost events.
func (c *reconciler) take(n int) []*message.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = min(n, len(c.lost))
	messages := c.lost[:n:n]
	c.lost = c.lost[n:]
	return messages
}

// urgent reports whether the next pull should not wait: an inquiry needs it, or
// is to begin.
func (c *reconciler) urgent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.check != nil && c.check.until == 0 || c.ready()
}

// ready reports whether it is time to look at the log, which is no use before
// the queue has answered once. It is locked.
func (c *reconciler) ready() bool {
	crowded := len(c.window.seen)-c.window.above(c.verified) > c.room()/2
	return c.pulled && !c.looking && c.check == nil && c.trouble.pause() <= 0 && (crowded || c.failed || !time.Now().Before(c.due))
}

// look begins an inquiry when it is time, unless another one does.
func (c *reconciler) look(ctx context.Context, stop <-chan struct{}) error {
	r, ready := c.start()
	if !ready {
		return nil
	}
	began := time.Now()
	found := &inspection{reconciler: c}
	s := search{in: found, stop: stop, left: maxCounts, upward: true}
	err := s.whole(ctx, r.stretch)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looking = false
	if errors.Is(err, ErrQueryIgnored) || ctx.Err() != nil {
		return err
	}
	if c.trouble.note(err); err == nil {
		c.inquire(&inquiry{at: began, upTo: r.known, complete: s.left > 0, suspects: found.suspects})
	}
	return nil
}

// reach is what of the log to look at, and how far of it pulls have come.
type reach struct {
	stretch
	known int64
}

// start says whether to look, and where: as far as pulls have come, or to the
// end if they have brought everything.
func (c *reconciler) start() (r reach, ready bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.looking && c.check == nil { // or what is forgotten meanwhile would be suspected
		c.raiseFloor()
	}
	if !c.ready() {
		return reach{}, false
	}
	c.looking, c.failed = true, false
	r = reach{stretch{above: c.low, upTo: c.highest}, c.highest}
	if c.drained {
		r.upTo = math.MaxInt32
	}
	return r, true
}

// raiseFloor lets the floor rise to what nothing is lost below. It is locked.
func (c *reconciler) raiseFloor() {
	upTo := c.verified
	if len(c.window.seen) > c.room() {
		upTo = math.MaxInt64 // whatever is lost: memory is bounded
	}
	c.raise(c.looked, upTo)
	for k := range c.found {
		if k.position <= c.low {
			delete(c.found, k)
		}
	}
}

// inquire has the pulls that follow decide about the suspects.
func (c *reconciler) inquire(check *inquiry) {
	sortByPosition(check.suspects)
	if n := len(check.suspects); n > 0 {
		check.upTo = max(check.upTo, check.suspects[n-1].Position)
	}
	check.after, c.check = c.asked, check
	c.conclude()
}

func (c *reconciler) settle(messages []*message.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progress.settle(messages)
}

// release forgets events that are to be unlocked: the queue delivers them anew,
// and that may be lost too.
func (c *reconciler) release(messages []*message.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range messages {
		delete(c.found, keyOf(m))
	}
	c.window.remove(messages)
}

// retain takes it back: the events are locked still.
func (c *reconciler) retain(messages []*message.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.window.add(messages, time.Now())
}

// inspection is a look at the log.
type inspection struct {
	*reconciler
	suspects []*message.Message
}

func (i *inspection) page(ctx context.Context, r stretch, n int) (page, error) {
	p, err := i.log.fitting(ctx, r, n, &i.pageSize)
	if err != nil || i.proven || len(p.messages) == 0 {
		return p, err
	}
	if err := i.log.probe(ctx); err != nil {
		return page{}, err
	}
	i.proven = true
	return p, nil
}

func (i *inspection) seen(r stretch) int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.window.count(r)
}

func (i *inspection) middle(r stretch) int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.window.middle(r)
}

func (i *inspection) enough() bool { return len(i.suspects) >= maxPage }

func (i *inspection) compare(ctx context.Context, r stretch) (reached int64, err error) {
	p, err := i.page(ctx, r, maxPage)
	if err != nil {
		return r.above, err
	}
	if last := len(p.messages) - 1; last >= 0 && p.total > int64(len(p.messages)) {
		r.upTo = p.messages[last].Position
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, m := range p.messages {
		if _, known := i.window.find(keyOf(m)); !known {
			i.suspects = append(i.suspects, m)
		}
	}
	return r.upTo, nil
}
