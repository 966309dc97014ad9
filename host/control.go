package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/journal"
)

// ControlSocket is where the running host of a configuration can be asked; empty
// if it has no journal.
func ControlSocket(c *config.Config) string {
	if !c.Journal.Enabled || c.Journal.Dir == "" {
		return ""
	}
	return filepath.Join(c.Journal.Dir, "host.sock")
}

// desk answers what is asked of a host, or of the journal of one that does not
// run.
type desk struct {
	journal *journal.Journal
	dir     string
	names   []string // of the pipelines of a configuration whose host does not run
	host    *Host    // nil if none runs
	about   control.Status
}

var _ control.Host = (*desk)(nil)

// Offline is what can be asked of a host while it does not run.
type Offline struct{ desk }

// OpenOffline opens the journal of a configuration whose host does not run. It
// must be closed before one can. The error is [journal.ErrInUse] if one does, and
// [fs.ErrNotExist] if there is no journal yet.
func OpenOffline(c *config.Config, log *slog.Logger) (*Offline, error) {
	if _, err := os.Stat(c.Journal.Dir); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	j, err := openJournal(c.Journal, log)
	if err != nil {
		return nil, err
	}
	return &Offline{desk{journal: j, dir: c.Journal.Dir, names: names(c)}}, nil
}

// Close gives the journal up.
func (o *Offline) Close() error { return o.journal.Close() }

func names(c *config.Config) (names []string) {
	for _, p := range c.Pipelines {
		names = append(names, p.Name)
	}
	return names
}

// CheckJournal reads all of the journal of a configuration whose host does not
// run, changes nothing, and says what it holds, or what is damaged.
func CheckJournal(c *config.Config, log *slog.Logger) (s control.Status, damage, err error) {
	report, err := journal.Check(c.Journal.Dir, journal.Options{MaxBytes: int64(c.Journal.MaxBytes), Logger: log})
	if err != nil || report.Damage != nil {
		return s, report.Damage, err
	}
	d := desk{dir: c.Journal.Dir, names: names(c)}
	return d.status(report.Stats), nil, nil
}

// SetJournalAside begins a new journal with all that can be read of a damaged one.
func SetJournalAside(c *config.Config, log *slog.Logger) (journal.Salvage, error) {
	return journal.SetAside(c.Journal.Dir, vfs.Default, log)
}

// listen opens the control socket, without which a host can do, and the address of
// the configuration, without which it cannot.
func (h *Host) listen(c *config.Config) error {
	d := &desk{journal: h.journal, dir: c.Journal.Dir, host: h, about: control.Status{
		Running: true, Version: h.workshop.options.Version, PID: os.Getpid(), Started: time.Now(),
	}}
	if h.journal != nil {
		s, err := control.Listen(ControlSocket(c), d)
		if err != nil {
			h.log.Warn("the host cannot be asked how it is: relayhost status, deadletters, plugin swap and reload do not work while it runs", "error", err)
		} else {
			h.control = append(h.control, s)
		}
	}
	if c.Control.Listen == "" {
		return nil
	}
	s, err := control.ListenTCP(c.Control.Listen, control.TCPOptions{
		Token: c.Control.Token, CertFile: c.Control.CertFile, KeyFile: c.Control.KeyFile,
	}, d)
	if err != nil {
		return err
	}
	h.control = append(h.control, s)
	return nil
}

// serveControl answers until stop is called.
func (h *Host) serveControl(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	for _, s := range h.control {
		wg.Go(func() {
			if err := s.Run(ctx); err != nil {
				h.log.Error("the host can be asked no longer", "error", err)
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

func (h *Host) closeControl() error {
	var errs []error
	for _, s := range h.control {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// pipelines are the names of those that the desk answers for.
func (d *desk) pipelines() (names []string) {
	if d.host == nil {
		return d.names
	}
	for _, l := range d.host.all() {
		names = append(names, l.name)
	}
	return names
}

// Status is the lines and the journal.
func (d *desk) Status(context.Context) (control.Status, error) {
	return d.status(d.stats()), nil
}

// stats are none without a journal.
func (d *desk) stats() journal.Stats {
	if d.journal == nil {
		return journal.Stats{}
	}
	return d.journal.Stats()
}

func (d *desk) status(stats journal.Stats) control.Status {
	s := d.about
	s.Pipelines = []control.Pipeline{}
	if d.host == nil || d.journal != nil {
		s.Journal = keptIn(d.dir, stats)
	}
	if d.host != nil {
		for _, l := range d.host.all() {
			s.Pipelines = append(s.Pipelines, l.status())
		}
	}
	for _, name := range d.known(stats) {
		if !slices.ContainsFunc(s.Pipelines, func(p control.Pipeline) bool { return p.Name == name }) {
			s.Pipelines = append(s.Pipelines, onlyKept(name, stats.Pipelines[name]))
		}
	}
	return s
}

// known are the pipelines of the configuration, and then those that only the
// journal knows.
func (d *desk) known(stats journal.Stats) []string {
	names := slices.Clone(d.pipelines())
	for _, name := range slices.Sorted(maps.Keys(stats.Pipelines)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func keptIn(dir string, stats journal.Stats) *control.Journal {
	j := &control.Journal{Dir: dir, Bytes: stats.Bytes, MaxBytes: stats.MaxBytes, Full: stats.Full}
	if stats.Err != nil {
		j.Error = stats.Err.Error()
	}
	return j
}

// onlyKept is a pipeline that does not run.
func onlyKept(name string, stats journal.PipelineStats) control.Pipeline {
	return control.Pipeline{Name: name, Settled: map[string]int64{}, Kept: kept(stats), Floor: floor(stats)}
}

func kept(stats journal.PipelineStats) *control.Kept {
	return &control.Kept{Unsettled: stats.Unsettled, UnsettledBytes: stats.UnsettledBytes, DeadLetters: stats.DeadLetters}
}

func floor(stats journal.PipelineStats) *int64 {
	if stats.Floor == 0 {
		return nil
	}
	return &stats.Floor
}

// status is what a line is, its books at one instant.
func (l *line) status() control.Pipeline {
	s, stats := l.state(), journal.PipelineStats{}
	if l.inbox != nil {
		stats = l.inbox.Stats()
	}
	p := control.Pipeline{
		Name: l.name, Phase: l.pipeline.Phase().String(), Plugin: l.deployment.Live().Digest(), PluginState: l.rollouts.state(),
		Received: s.Received, Recovered: s.Recovered, Settled: map[string]int64{}, InFlight: s.InFlight, Bytes: s.Bytes,
		Dropped: s.Dropped, DeadLettered: s.DeadLettered, Unlocked: s.Unlocked,
		Waiting: s.Waiting, Retries: s.Retries, HaltedPartitions: s.HaltedPartitions, HaltedMessages: s.HaltedMessages,
		Lag: s.Lag,
	}
	if l.inbox != nil {
		p.Floor, p.Kept = floor(stats), kept(stats)
	}
	if l.failure() != nil {
		p.Phase = "failed"
	}
	if l.log != nil {
		p.Cursor = new(l.log.Cursor())
	}
	for kind, n := range s.Settled {
		p.Settled[kind.String()] = n
	}
	return p
}

// DeadLetters are the journal's.
func (d *desk) DeadLetters(ctx context.Context, q control.Query) iter.Seq2[control.DeadLetter, error] {
	return func(yield func(control.DeadLetter, error) bool) {
		for found, err := range d.choose(ctx, q, nil) {
			if err != nil {
				yield(control.DeadLetter{}, err)
				return
			}
			if !yield(letter(&found, q.Whole), nil) {
				return
			}
		}
	}
}

// DeadLetter is one of the journal's.
func (d *desk) DeadLetter(ctx context.Context, id string) (control.DeadLetter, error) {
	for found, err := range d.DeadLetters(ctx, control.Query{Filter: control.Filter{IDs: []string{id}, Limit: 1}, Whole: true}) {
		return found, err
	}
	return control.DeadLetter{}, control.ErrNotFound
}

// Retry leaves those of pipelines that nobody runs where they are.
func (d *desk) Retry(ctx context.Context, f control.Filter) (int, error) {
	if f.Pipeline != "" && !slices.Contains(d.pipelines(), f.Pipeline) {
		return 0, control.Refuse("pipeline %q is not in the configuration: its dead letters cannot be handled", f.Pipeline)
	}
	return d.change(ctx, f, d.pipelines(), (*journal.Journal).Retry)
}

// Purge deletes from the journal.
func (d *desk) Purge(ctx context.Context, f control.Filter) (int, error) {
	return d.change(ctx, f, nil, (*journal.Journal).Purge)
}

// changed is how many are changed at once.
const changed = 1000

// change does something with those that f chooses, of some pipelines or of any.
func (d *desk) change(ctx context.Context, f control.Filter, pipelines []string, do func(*journal.Journal, journal.Filter) (int, error)) (n int, err error) {
	var ids []string
	some := func() error {
		if len(ids) == 0 {
			return nil
		}
		done, err := do(d.journal, journal.Filter{IDs: ids, Limit: len(ids)})
		n, ids = n+done, ids[:0]
		return err
	}
	for found, err := range d.choose(ctx, control.Query{Filter: f}, pipelines) {
		if err != nil {
			return n, err
		}
		if ids = append(ids, found.ID); len(ids) == changed {
			if err := some(); err != nil {
				return n, err
			}
		}
	}
	return n, some()
}

// choose yields those that q chooses, of some pipelines or of any. What the
// journal's filter does not have is looked at here.
func (d *desk) choose(ctx context.Context, q control.Query, pipelines []string) iter.Seq2[journal.DeadLetter, error] {
	return func(yield func(journal.DeadLetter, error) bool) {
		if d.journal == nil {
			yield(journal.DeadLetter{}, control.Refuse("the host has no journal, and so no dead letters"))
			return
		}
		f, err := d.filter(&q.Filter)
		f.After = q.After
		if err != nil {
			yield(journal.DeadLetter{}, err)
			return
		}
		n := 0
		for found, err := range d.journal.DeadLetters(f) {
			if err = cmp.Or(err, ctx.Err()); err != nil {
				yield(journal.DeadLetter{}, err)
				return
			}
			if !hasDigest(found.Plugin, q.Plugin) || pipelines != nil && !slices.Contains(pipelines, found.Pipeline) {
				continue
			}
			if n++; !yield(found, nil) || n == q.Limit {
				return
			}
		}
	}
}

// filter is the journal's, but for the plugin and the limit.
func (d *desk) filter(f *control.Filter) (journal.Filter, error) {
	chosen := journal.Filter{IDs: f.IDs, Pipeline: f.Pipeline, Since: f.Since, Until: f.Until}
	if known := d.known(d.journal.Stats()); f.Pipeline != "" && !slices.Contains(known, f.Pipeline) {
		return chosen, control.Refuse("there is no pipeline %q\nhint: there are %s", f.Pipeline, strings.Join(known, ", "))
	}
	if f.Kind != "" {
		kind, err := control.ParseKind(f.Kind)
		if err != nil {
			return chosen, control.Refuse("%v", err)
		}
		chosen.Kind = &kind
	}
	return chosen, nil
}

func hasDigest(digest, prefix string) bool {
	return strings.HasPrefix(digest, strings.TrimPrefix(prefix, "sha256:"))
}

func letter(d *journal.DeadLetter, whole bool) control.DeadLetter {
	l := control.DeadLetter{
		ID: d.ID, Pipeline: d.Pipeline, EventID: d.EventID, Position: d.Position,
		Kind: d.Kind.String(), Reason: d.Reason, Attempts: d.Attempts, Plugin: d.Plugin,
		Received: d.Received, Failed: d.Failed, Forwarded: d.Forwarded, Size: len(d.Event),
	}
	if whole {
		l.Trace, l.Event = d.Trace, d.Event
	}
	return l
}
