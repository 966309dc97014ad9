package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/relayhost/relayhost/host"
	"github.com/relayhost/relayhost/host/control"
)

type exportLettersCommand struct {
	lettersFlags

	Output string `short:"o" placeholder:"FILE" help:"A new file, instead of standard output."`
	Events bool   `help:"Only the events, as relayhost plugin test reads them."`
}

// Help is shown below the flags.
func (exportLettersCommand) Help() string {
	return `A line is a JSON object: a dead letter with its event, its bytes in base64 and
readable. They stay in the journal: see retry and purge.`
}

// Run writes a line for each.
func (c *exportLettersCommand) Run(ctx context.Context, p *process) error {
	f, err := c.filter()
	if err != nil {
		return err
	}
	return with(c.Config, p, func(r *reached) error {
		n, err := c.export(p.out, r.DeadLetters(ctx, control.Query{Filter: f, Whole: true}))
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintln(p.err, counted(n))
		return c.all(n, "found")
	})
}

// export writes to the file, if there is to be one. It has payloads: it is the
// user's alone.
func (c *exportLettersCommand) export(stdout io.Writer, letters letterSeq) (n int, err error) {
	if c.Output == "" {
		return c.write(stdout, letters)
	}
	file, err := os.OpenFile(c.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return 0, usageError{fmt.Sprintf("--output %s is there already: name a new file", c.Output)}
	}
	if err != nil {
		return 0, unusable(err)
	}
	n, err = c.write(file, letters)
	return n, errors.Join(err, file.Close())
}

func (c *exportLettersCommand) write(w io.Writer, letters letterSeq) (n int, err error) {
	lines := bufio.NewWriter(w)
	out := printer{lines, true}
	for d, err := range letters {
		if err != nil {
			return n, errors.Join(err, lines.Flush())
		}
		if err := out.print(c.line(&d)); err != nil {
			return n, err
		}
		n++
	}
	if err := lines.Flush(); err != nil {
		return n, fmt.Errorf("write dead letters: %w", err)
	}
	return n, nil
}

// line is what is written of one. An event that cannot be read is an empty one.
func (c *exportLettersCommand) line(d *control.DeadLetter) any {
	whole := host.WholeLetter(*d)
	switch {
	case !c.Events:
		return whole
	case whole.EventJSON == nil:
		return map[string]string{"id": d.EventID}
	}
	return whole.EventJSON
}
