package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/journal"
)

type journalCommand struct {
	Check checkJournalCommand `cmd:"" help:"Read all of a journal that no host uses, and say what is damaged."`
	Stats statsCommand        `cmd:"" help:"Show what a journal holds."`
}

// journalFlags name a journal.
type journalFlags struct {
	configFlag

	Dir string `arg:"" optional:"" help:"The journal's folder, instead of the configuration's."`
}

// load is the configuration, or one for the folder that was named.
func (f *journalFlags) load() (*config.Config, error) {
	if f.Dir == "" {
		c, err := journaled(f.Config)
		if err != nil {
			return nil, unusable(err)
		}
		return c, nil
	}
	return &config.Config{Journal: config.Journal{Enabled: true, Dir: f.Dir, MaxBytes: 1 << 30}}, nil
}

type checkJournalCommand struct {
	journalFlags

	SetAside bool `help:"If it is damaged, move it aside and begin a new one with all that can be read of it."`
}

// Help is shown below the flags.
func (checkJournalCommand) Help() string {
	return `Nothing is changed without --set-aside. The exit status is 0 if all can be read, or
what was damaged is set aside, and 1 if something is damaged.`
}

// Run reads all of the journal.
func (c *checkJournalCommand) Run(p *process) error {
	loaded, err := c.load()
	if err != nil {
		return err
	}
	s, damage, err := host.CheckJournal(loaded, p.log)
	if err != nil {
		return unreachable(loaded, err)
	}
	if damage == nil {
		unsettled, letters := total(&s)
		_, err := fmt.Fprintf(p.out, "%s is fine: %d unsettled events, %s\n", loaded.Journal.Dir, unsettled, counted(int(letters)))
		return err
	}
	if !c.SetAside {
		return damage
	}
	saved, err := host.SetJournalAside(loaded, p.log)
	return errors.Join(err, c.report(p, &saved))
}

// report says what was saved.
func (c *checkJournalCommand) report(p *process, s *journal.Salvage) error {
	for _, what := range s.Unreadable {
		_, _ = fmt.Fprintf(p.err, "relayhost: warning: cannot be read: %s\n", what)
	}
	if s.Dir == "" {
		return nil
	}
	_, err := fmt.Fprintf(p.out, "saved %d unsettled events and %s; what was there is in %s\n", s.Events, counted(int(s.DeadLetters)), s.Dir)
	return err
}

// total is how much a journal has, of all pipelines.
func total(s *control.Status) (unsettled, letters int64) {
	for i := range s.Pipelines {
		if k := s.Pipelines[i].Kept; k != nil {
			unsettled += k.Unsettled
			letters += k.DeadLetters
		}
	}
	return unsettled, letters
}

type statsCommand struct {
	journalFlags

	JSON bool `name:"json" help:"Print one JSON object."`
}

// Run asks the host that uses it, or else reads it.
func (c *statsCommand) Run(ctx context.Context, p *process) error {
	loaded, err := c.load()
	if err != nil {
		return err
	}
	s, err := statusOf(ctx, loaded, p.log)
	if err != nil {
		return err
	}
	if s.Journal == nil {
		return fmt.Errorf("there is no journal at %s", loaded.Journal.Dir)
	}
	if c.JSON {
		return json.NewEncoder(p.out).Encode(journalStats(&s))
	}
	t := newTable(p.out)
	t.row("journal", journalText(s.Journal))
	t.end()
	t.kept(s.Pipelines)
	return t.close()
}

// keptJournal is the JSON form of what a journal holds.
type keptJournal struct {
	*control.Journal

	Pipelines map[string]*control.Kept `json:"pipelines"`
}

func journalStats(s *control.Status) keptJournal {
	k := keptJournal{s.Journal, map[string]*control.Kept{}}
	for i := range s.Pipelines {
		k.Pipelines[s.Pipelines[i].Name] = s.Pipelines[i].Kept
	}
	return k
}
