package host

import (
	"fmt"
	"log/slog"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/telemetry"
)

// openJournal opens a configuration's journal, nil if it wants none.
func openJournal(c config.Journal, log *slog.Logger) (*journal.Journal, error) {
	if !c.Enabled {
		log.Warn("there is no journal: a crash loses what is in flight, and dead letters are only logged",
			"hint", "remove enabled = false under [journal]")
		return nil, nil
	}
	j, err := journal.Open(c.Dir, journal.Options{
		Fsync:    journal.Fsync(c.Fsync),
		Interval: c.FsyncInterval,
		MaxBytes: int64(c.MaxBytes),
		Logger:   log,
	})
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return j, nil
}

// inbox is a pipeline's part of the journal, nil without one.
func (w workshop) inbox(c config.Pipeline) (*journal.Inbox, error) {
	if w.journal == nil {
		return nil, nil
	}
	return w.journal.Inbox(journal.InboxOptions{
		Pipeline: c.Name,
		Remember: c.Producer.Mode == "log" || c.Producer.Reconcile,
	})
}

// watchJournal has the journal told.
func (m *metrics) watchJournal(j *journal.Journal) {
	if m == nil || j == nil {
		return
	}
	m.telemetry.WatchJournal(func() telemetry.Journal {
		s := j.Stats()
		if s.Err == nil && s.Full {
			s.Err = fmt.Errorf("full: it holds %d bytes of at most %d", s.Bytes, s.MaxBytes)
		}
		return telemetry.Journal{Bytes: s.Bytes, MaxBytes: s.MaxBytes, Err: s.Err}
	})
}

// kept is what the journal has of a line, nil without one.
func (l *line) kept() *telemetry.Kept {
	if l.inbox == nil {
		return nil
	}
	p := l.inbox.Stats()
	return &telemetry.Kept{Unsettled: p.Unsettled, UnsettledBytes: p.UnsettledBytes, DeadLetters: p.DeadLetters}
}
