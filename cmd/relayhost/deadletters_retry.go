package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/control"
	"github.com/relayhost/relayhost/host/plugin"
)

type letterSeq = iter.Seq2[control.DeadLetter, error]

type retryLettersCommand struct {
	lettersFlags

	Plugin string `placeholder:"FILE" help:"Run them through this plugin instead, once and in this process, and take away those that are ok."`
}

// Help is shown below the flags.
func (retryLettersCommand) Help() string {
	return `Without --plugin they go back into their pipelines: a host that runs handles them
at once, and otherwise the next one does. With --plugin their pipeline is run
here, as its configuration has it but with that plugin, and standard output gets
what its sinks write there.`
}

// Run has them handled again.
func (c *retryLettersCommand) Run(ctx context.Context, p *process) error {
	f, err := c.filter()
	if err != nil {
		return err
	}
	if c.Plugin != "" {
		return c.try(ctx, p, f)
	}
	return with(c.Config, p, func(r *reached) error {
		n, err := r.Retry(ctx, f)
		when := "when a host runs"
		if r.running {
			when = "now"
		}
		if err == nil || n > 0 {
			_, _ = fmt.Fprintf(p.err, "%s put back, to be handled %s\n", counted(n), when)
		}
		if err != nil {
			return err
		}
		return c.all(n, "put back")
	})
}

// try runs them through another plugin.
func (c *retryLettersCommand) try(ctx context.Context, p *process, f control.Filter) error {
	pipeline, cacheDir, err := c.candidate()
	if err != nil {
		return unusable(err)
	}
	f.Pipeline = pipeline.Name
	return with(c.Config, p, func(r *reached) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		t := &attempt{process: p, host: r, stop: cancel}
		err := host.Retry(ctx, cacheDir, pipeline, host.Options{Stdout: p.out, Logger: p.log},
			t.count(inPages(ctx, r, f)), func(ended []host.Retried) { t.settle(ctx, ended) })
		_, refused := errors.AsType[*plugin.Refusal](err)
		if unread, ok := errors.AsType[*fs.PathError](err); refused || ok && unread.Path == c.Plugin {
			return unusable(err)
		}
		return errors.Join(err, t.end(ctx))
	})
}

// candidate is the pipeline with the plugin in place of its own.
func (c *retryLettersCommand) candidate() (chosen config.Pipeline, cacheDir string, err error) {
	loaded, err := config.Load(c.Config)
	if err != nil {
		return chosen, "", err
	}
	var names []string
	for _, p := range loaded.Pipelines {
		if p.Name == c.Pipeline || c.Pipeline == "" && len(loaded.Pipelines) == 1 {
			p.Plugin.Module = c.Plugin
			return p, loaded.CacheDir, nil
		}
		names = append(names, p.Name)
	}
	return chosen, "", fmt.Errorf("--pipeline is %q, and %s has %s", c.Pipeline, c.Config, strings.Join(names, ", "))
}

// pageSize is how many dead letters are asked for at a time, and pageBytes how
// large they may be, so that a host does not wait for handlers to take the rest of
// a list.
const (
	pageSize  = 1000
	pageBytes = 8 << 20
)

// inPages yields whole dead letters.
func inPages(ctx context.Context, h control.Host, f control.Filter) letterSeq {
	return func(yield func(control.DeadLetter, error) bool) {
		q := control.Query{Filter: f, Whole: true}
		for {
			page, more, err := nextPage(ctx, h, q)
			for _, d := range page {
				if !yield(d, nil) {
					return
				}
				q.After = d.ID
			}
			if err != nil {
				yield(control.DeadLetter{}, err)
				return
			}
			q.Limit -= len(page)
			if !more || f.Limit > 0 && q.Limit <= 0 {
				return
			}
			q.Limit = max(q.Limit, 0)
		}
	}
}

// nextPage reports whether there may be more.
func nextPage(ctx context.Context, h control.Host, q control.Query) (page []control.DeadLetter, more bool, err error) {
	size := 0
	for d, err := range h.DeadLetters(ctx, q) {
		if err != nil {
			return page, false, err
		}
		page = append(page, d)
		if size += len(d.Event); len(page) == pageSize || size >= pageBytes {
			return page, true, nil
		}
	}
	return page, false, nil
}

// attempt counts what becomes of dead letters, and takes away those that are ok.
type attempt struct {
	*process

	host                    *reached
	stop                    func()
	begun, ok, failed, gone int
	done                    []string // ids that are to be taken away
	trouble                 error
}

// count counts what is read.
func (t *attempt) count(letters letterSeq) letterSeq {
	return func(yield func(control.DeadLetter, error) bool) {
		for d, err := range letters {
			if err == nil {
				t.begun++
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// takenAtOnce is how many a crash leaves to be delivered again.
const takenAtOnce = 100

func (t *attempt) settle(ctx context.Context, ended []host.Retried) {
	for i := range ended {
		d, o := &ended[i].DeadLetter, ended[i].Outcome
		if o.OK() {
			t.ok++
			t.done = append(t.done, d.ID)
			continue
		}
		t.failed++
		_, _ = fmt.Fprintf(t.err, "failed again: %s  %s  %s  %s\n", d.ID, plugin.Printable(d.EventID, shown), o.Kind,
			plugin.Printable(o.Reason, shown))
	}
	if len(t.done) >= takenAtOnce {
		t.purge(ctx)
	}
}

// purge takes away what is ok. If that fails no more are tried, lest they be
// delivered again and again.
func (t *attempt) purge(ctx context.Context) {
	if len(t.done) == 0 || t.trouble != nil {
		return
	}
	n, err := t.host.Purge(context.WithoutCancel(ctx), control.Filter{IDs: t.done})
	t.gone += n
	if err != nil {
		t.trouble = fmt.Errorf("take away dead letters that are ok, which will be delivered again: %w", err)
		t.stop()
	}
	t.done = nil
}

// end says what became of all, and is an error unless all are ok.
func (t *attempt) end(ctx context.Context) error {
	t.purge(ctx)
	text := fmt.Sprintf("%s: %d ok and taken away, %d failed and stay", counted(t.begun), t.gone, t.failed)
	if rest := t.begun - t.ok - t.failed; rest > 0 {
		text += fmt.Sprintf(", %d not handled and stay", rest)
	}
	if t.trouble != nil || t.ok < t.begun {
		return errors.Join(t.trouble, errors.New(text))
	}
	_, _ = fmt.Fprintln(t.err, text)
	return nil
}
